"""`embed.py --input`: sound files to tables of windows."""

import json
import os
import pathlib
import shutil

import numpy as np
import pandas
import pytest
import soundfile

from data.audio import sound_file
from data.run.errors import UserError
from evaluate import embed
from evaluate.embeddings.embed_config import EmbedConfig
from evaluate.embeddings.encoders import load_model
from evaluate.recordings import recording_job
from tests.data.write_shards_test import contents
from tests.evaluate.entry_point_runs import call_main
from tests.evaluate.toy_runs import write_toy_run
from tests.readme_commands import commands, run_script

# As the README names it.
RUN = "runs/mine/pretrain"
# Seconds, rate, channels.
SOUNDS = {
    "long.flac": (9.0, 44100, 2),
    "deep/equal.wav": (2.0, 16000, 1),
    "deep/short.wav": (0.4, 8000, 1),
    "window.wav": (0.975, 16000, 1),
}


def sound(seconds, rate_hz, channels, seed=0):
    shape = (round(seconds * rate_hz), channels)
    return np.random.default_rng(seed).normal(0, 0.1, shape)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embed_recordings")
    write_toy_run(folder / RUN, folder / "shards")
    sounds = folder / "recordings"
    for number, (name, shape) in enumerate(SOUNDS.items()):
        (sounds / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(sounds / name, sound(*shape, number), shape[1])
    shutil.copy(sounds / "window.wav", sounds / "again.wav")
    (sounds / "bad.wav").write_text("bad")
    (sounds / "notes.txt").write_text("no sound")
    with pytest.MonkeyPatch.context() as patched:
        # Blocks that end within windows.
        patched.setattr(recording_job, "_BLOCK_S", 2)
        call_main(embed, config(folder, "out"))
    return folder


def config(folder, place, **changes):
    values = {
        "encoder": str(folder / RUN),
        "input": str(folder / "recordings"),
        "output": str(folder / place),
        "workers": 1,
        "max_bad_fraction": 0.2,
    }
    return EmbedConfig(**values | changes)


def table(folder, name="windows", output="out"):
    return pandas.read_parquet(folder / output / f"{name}.parquet")


def test_windows_are_those_of_the_encoder(folder):
    model, windows = load_model(folder / RUN), table(folder)
    assert [*windows.file.unique()] == sorted([*SOUNDS, "again.wav"])
    for name, (seconds, *_) in SOUNDS.items():
        clip = sound_file.read_clip(folder / "recordings" / name, 16000).audio
        expected = np.array(model.embed_windows(clip[None]))[0]
        mine = windows[windows.file == name]
        found = np.stack(mine.embedding)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        hop_s = model.window_hop_samples / 16000
        starts = [*(hop_s * np.arange(len(mine) - 1)), max(0, seconds - 0.975)]
        np.testing.assert_allclose(mine.start_seconds, starts, atol=1e-9)
        ends = np.minimum(mine.start_seconds + 0.975, seconds)
        np.testing.assert_allclose(mine.end_seconds, ends, atol=1e-9)


def test_a_file_is_the_mean_over_its_windows(folder):
    windows = table(folder)
    files = table(folder, "files").set_index("file")
    for name, (seconds, *_) in SOUNDS.items():
        assert files.end_seconds[name] == pytest.approx(seconds)
        mean = np.stack(windows.embedding[windows.file == name]).mean(axis=0)
        np.testing.assert_allclose(
            files.embedding[name], mean, rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("name", ["windows", "files"])
def test_both_formats_say_the_same(folder, name):
    parquet = table(folder, name)
    csv = pandas.read_csv(folder / "out" / f"{name}.csv", dtype={"file": str})
    places = ["file", "start_seconds", "end_seconds"]
    assert csv[places].equals(parquet[places].astype(csv[places].dtypes))
    vectors = csv[[f"e{number}" for number in range(11)]].to_numpy("f4")
    np.testing.assert_array_equal(vectors, np.stack(parquet.embedding))


def test_what_cannot_be_used_is_listed(folder):
    rows = (folder / "out" / "rejects.csv").read_text().splitlines()[1:]
    assert rows[0].startswith("*.txt,no_recording,no sound in notes.txt")
    assert rows[1].startswith("bad.wav,not_audio,") and len(rows) == 2
    index = json.loads((folder / "out" / "recordings.json").read_text())
    assert [r["name"] for r in index["recordings"]] == sorted(
        [*SOUNDS, "again.wav"]
    )
    # Of the same content.
    file_of = {r["name"]: r["file"] for r in index["recordings"]}
    assert file_of["again.wav"] == file_of["window.wav"]


def made(folder) -> dict[str, int]:
    files = pathlib.Path(folder).glob("*.npz")
    return {file.name: file.stat().st_mtime_ns for file in files}


def test_a_rerun_makes_what_has_changed(folder, tmp_path):
    shutil.copytree(folder / RUN, tmp_path / RUN)
    shutil.copytree(folder / "recordings", tmp_path / "moved")
    shutil.copytree(folder / "out", tmp_path / "out")
    before, bytes_before = made(tmp_path / "out"), contents(tmp_path / "out")
    again = config(tmp_path, "out", input=str(tmp_path / "moved"))
    call_main(embed, again)
    assert made(tmp_path / "out") == before
    assert contents(tmp_path / "out").keys() == bytes_before.keys()

    soundfile.write(tmp_path / "moved" / "new.wav", sound(1, 8000, 1, 9), 8000)
    os.remove(tmp_path / "moved" / "long.flac")
    call_main(embed, again)
    after = made(tmp_path / "out")
    kept = before.items() & after.items()
    assert len(kept) == len(before) - 1 and len(after) == len(before)
    assert "long.flac" not in set(table(tmp_path).file)
    assert "new.wav" in set(table(tmp_path).file)


def test_the_commands_of_the_readme(folder):
    """A pattern and another hop; a query for a part of a recording."""
    of_embed, of_search = commands(
        "Sound files: embedding and searching them", "evaluate"
    )
    tiny = ["--workers=1", "--max_bad_fraction=0.2", "--tables=parquet"]
    told = run_script(of_embed, folder, *tiny)
    fine = table(folder, output="runs/mine/windows")
    assert told.startswith(f"{len(fine)} windows of 4 recordings, described in")
    starts = fine[fine.file == "deep/equal.wav"].start_seconds
    np.testing.assert_allclose(starts, [0, 0.24, 0.48, 0.72, 0.96, 1.025])
    assert not (folder / "runs/mine/windows/windows.csv").exists()

    query = folder / "my sound.wav"
    shutil.copy(folder / "recordings" / "deep" / "equal.wav", query)
    nearest = run_script(of_search, folder).splitlines()[2]
    assert nearest.split()[2:] == ["deep/equal.wav", "0.00", "0.97"]
    csv = pandas.read_csv(folder / "runs/mine/found.csv")
    assert len(csv) == 5 and csv.cosine[0] == pytest.approx(1, abs=1e-5)
    others = run_script(of_search, folder, "--exclude_query")
    assert "equal.wav" not in others


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"hop_seconds": 1.0}, "--hop_seconds=1: it must be .* of 0.975 s"),
        ({"hop_seconds": 0.0}, "--hop_seconds=0: it must be"),
        ({"max_bad_fraction": 0.1}, "1 of 6 inputs are bad, .*bad.wav"),
    ],
)
def test_wrong_use_is_told(folder, changes, told):
    with pytest.raises(UserError, match=told):
        call_main(embed, config(folder, "wrong", **changes))


def test_another_run_is_no_output(folder):
    with pytest.raises(UserError, match="run of pretrain_contrastive, not emb"):
        call_main(embed, config(folder, RUN))


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"shards": "x"}, "--input names sound files and --shards clips"),
        ({"tables": ("xlsx",)}, "--tables=xlsx is unknown"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(folder, changes, told):
    with pytest.raises(ValueError, match=told):
        config(folder, "wrong", **changes)
