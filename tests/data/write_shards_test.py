import csv
import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from data.audio import codec, sound_file
from data.ingest import ingest_job
from data.ingest.ingest_config import IngestConfig
from data.run.errors import UserError
from data.shards import example_schema
from data.shards.dataset_info import DatasetInfo
from data.synthetic.scenes import CLASS_NAMES, generate_scene
from tests.data import sound_files
from tests.data.ingested import clips, records, rejects
from tests.data.sound_files import tone, write

ROOT = pathlib.Path(__file__).resolve().parents[2]


def config(tmp_path, **options):
    options = {
        "input": str(tmp_path / "in"),
        "output": str(tmp_path / "out"),
        "workers": 1,
    } | options
    return IngestConfig(**options)


def synthetic(tmp_path, **options):
    options = {
        "source": "synthetic",
        "input": "",
        "num_clips": 9,
        "scene_seconds": 0.5,
        "clips_per_shard": 3,
    } | options
    return config(tmp_path, **options)


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "config.json"
    }


def test_folder_names_become_labels_and_audio_is_kept(tmp_path):
    for number in range(4):
        frequency = 500 + 250 * number
        write(
            tmp_path / "in" / "dog" / f"{number}.wav",
            tone(frequency_hz=frequency),
        )
    write(tmp_path / "in" / "cat" / "b.flac")
    write(tmp_path / "in" / "c.ogg")
    info = ingest_job.run(config(tmp_path))
    assert info.class_names == ("cat", "dog")
    assert info.summary["clips"] == {"eval": 2, "train": 4}
    assert sum(info.summary["unlabeled"].values()) == 1
    assert sum(info.summary["seconds"].values()) == 6
    found = clips(info)
    assert {name: labels for name, (_, labels) in found.items()} == {
        **{f"dog/{number}.wav": ["dog"] for number in range(4)},
        "cat/b.flac": ["cat"],
        "c.ogg": [],
    }
    for number in range(4):
        np.testing.assert_allclose(
            found[f"dog/{number}.wav"][0],
            tone(frequency_hz=500 + 250 * number),
            atol=1e-4,
        )


def test_conversions_keep_the_tone_and_are_counted(tmp_path):
    folder = tmp_path / "in"
    write(folder / "8k.wav", tone(1, 8000), 8000)
    write(folder / "96k.wav", tone(1, 96000), 96000)
    write(folder / "stereo.wav", np.stack([tone(), tone()], 1))
    write(folder / "24bit.wav", tone(), subtype="PCM_24")
    write(folder / "loud.wav", tone(amplitude=1.5), subtype="FLOAT")
    info = ingest_job.run(config(tmp_path))
    found = clips(info)
    for name in ("8k", "96k", "stereo", "24bit"):
        audio, _ = found[f"{name}.wav"]
        assert audio.size == 16000
        frequency = sound_files.frequency_hz(audio, 16000)
        assert frequency == pytest.approx(1000, abs=1)
        assert sound_files.amplitude(audio) == pytest.approx(0.5, rel=2e-3)
    assert found["loud.wav"][0].max() == pytest.approx(1, abs=1e-4)
    counts = ("upsampled", "downsampled", "mixed_down", "clipped_at_full_scale")
    assert [info.summary[name] for name in counts] == [1, 1, 1, 1]


def test_bad_files_are_listed_and_the_rest_goes_on(tmp_path):
    folder = tmp_path / "in"
    for number in range(6):
        write(folder / f"good {number}.wav")
    not_finite = tone()
    not_finite[3] = np.nan
    write(folder / "nan.wav", not_finite, subtype="FLOAT")
    write(folder / "silent.wav", np.zeros(16000))
    write(folder / "short.wav", tone(0.1))
    (folder / "text.wav").write_text("no audio")
    (folder / "empty.mp3").touch()
    os.symlink("nowhere", folder / "broken link.ogg")
    info = ingest_job.run(config(tmp_path))
    assert sorted(clips(info)) == [f"good {k}.wav" for k in range(6)]
    found = rejects(tmp_path)
    assert {name: kind for name, (kind, _) in found.items()} == {
        "nan.wav": "non_finite",
        "silent.wav": "silent",
        "short.wav": "too_short",
        "text.wav": "not_audio",
        "empty.mp3": "empty",
        "broken link.ogg": "no_access",
    }
    assert "1 of 16000 samples" in found["nan.wav"][1]
    assert "--keep_silent" in found["silent.wav"][1]
    assert "0.1 s is shorter than --min_seconds" in found["short.wav"][1]
    assert info.summary["rejects"] == {
        kind: 1 for kind, _ in sorted(found.values())
    }


def test_keep_silent_and_min_seconds_keep_them(tmp_path):
    write(tmp_path / "in" / "silent.wav", np.zeros(16000))
    write(tmp_path / "in" / "short.wav", tone(0.1))
    info = ingest_job.run(config(tmp_path, keep_silent=True, min_seconds=0.1))
    assert {k: v[0].size for k, v in clips(info).items()} == {
        "silent.wav": 16000,
        "short.wav": 1600,
    }


HARD_NAMES = ("a \"b\" 'c'.wav", "<script>x.wav", "žluťoučký 犬.wav")


def test_hard_file_names_with_and_without_a_table(tmp_path):
    for name in HARD_NAMES:
        write(tmp_path / "in" / "<b>&é" / name)
    undecodable = os.fsencode(tmp_path / "in") + b"/x\xff.wav"
    os.rename(write(tmp_path / "in" / "x.wav"), undecodable)
    info = ingest_job.run(config(tmp_path))
    assert set(clips(info)) == {
        *(f"<b>&é/{name}" for name in HARD_NAMES),
        "x\\xff.wav",
    }
    assert info.class_names == ("<b>&é",)
    with (tmp_path / "l.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = [("filename", "labels"), *((name, "dog") for name in HARD_NAMES)]
        csv.writer(stream).writerows(rows)
    info = ingest_job.run(
        config(
            tmp_path,
            labels=str(tmp_path / "l.csv"),
            output=str(tmp_path / "again"),
        )
    )
    assert info.summary["files_without_row"] == 1
    labels = {name: labels for name, (_, labels) in clips(info).items()}
    assert labels.pop("x\\xff.wav") == []
    assert list(labels.values()) == [["dog"]] * 3


def test_long_recordings_are_cut_and_stay_in_one_split(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16000 * 5)
    for number in range(4):
        write(tmp_path / "in" / f"{number}.wav", noise)
    info = ingest_job.run(
        config(tmp_path, clip_seconds=2.0, hop_seconds=1.5, min_seconds=0.5)
    )
    assert info.summary["clips"] == {"eval": 3, "train": 9}
    sources = {
        split: {clip_id.split("#")[0] for clip_id in clips(info, [split])}
        for split in ("train", "eval")
    }
    assert not sources["train"] & sources["eval"]
    found = clips(info)
    for start_s, size in ((0, 32000), (1.5, 32000), (3, 32000)):
        first = round(start_s * 16000)
        np.testing.assert_allclose(
            found[f"0.wav#{start_s:.3f}"][0],
            noise[first : first + size],
            atol=1e-4,
        )


def test_a_silent_stretch_is_left_out_and_named(tmp_path):
    write(tmp_path / "in" / "a.wav", np.append(tone(2), np.zeros(32000)))
    info = ingest_job.run(config(tmp_path, clip_seconds=2.0))
    assert list(clips(info)) == ["a.wav#0.000"]
    kind, reason = rejects(tmp_path)["a.wav"]
    assert kind == "silent" and reason.startswith("the clip at 2 s: its mono")


def test_folds_and_unknown_labels(tmp_path):
    rows = ["filename,labels,fold"]
    for number in range(8):
        write(tmp_path / "in" / f"{number}.wav")
        rows.append(f"{number}.wav,dog,{number % 4 + 1}")
    rows[2] = "1.wav,dgo,2"
    (tmp_path / "l.csv").write_text("\n".join([*rows, "gone.wav,dog,1"]))
    info = ingest_job.run(
        config(
            tmp_path,
            labels=str(tmp_path / "l.csv"),
            classes=("rain", "dog"),
            eval_folds=("4",),
        )
    )
    assert sorted(clips(info, ["eval"])) == ["3.wav", "7.wav"]
    assert info.class_names == ("rain", "dog")
    assert info.summary["clips_per_class"] == {
        "train": {"rain": 0, "dog": 5},
        "eval": {"rain": 0, "dog": 2},
    }
    found = rejects(tmp_path)
    assert found["1.wav"][0] == "unknown_label"
    assert "'dgo' is not in --classes: did you mean dog" in found["1.wav"][1]
    assert found["gone.wav"][0] == "no_such_file"


def test_clips_are_shuffled_across_shards_by_the_seed(tmp_path):
    for number in range(12):
        write(tmp_path / "in" / f"{number:02d}.wav", tone(0.25))
    orders = {}
    for seed in (0, 0, 1):
        info = ingest_job.run(
            config(
                tmp_path,
                seed=seed,
                eval_fraction=0.0,
                clips_per_shard=5,
                output=str(tmp_path / f"out{seed}"),
            )
        )
        assert [s.clips for s in info.splits["train"]] == [4, 4, 4]
        assert list(info.splits) == ["train"]
        orders[seed] = list(clips(info))
    assert sorted(orders[0]) == sorted(orders[1]) != orders[0] != orders[1]


def test_flac_shards_hold_the_same_audio(tmp_path):
    write(tmp_path / "in" / "a.wav")
    info = ingest_job.run(config(tmp_path, audio_format="flac"))
    np.testing.assert_allclose(clips(info)["a.wav"][0], tone(), atol=1e-4)


def test_scenes_carry_their_stems(tmp_path):
    info = ingest_job.run(synthetic(tmp_path, seed=3))
    assert info.has_stems and info.class_names == CLASS_NAMES
    assert info.summary["clips"] == {"eval": 2, "train": 7}
    scene = generate_scene(3, 4, 0.5, 16000)
    for record in records(info, ["train", "eval"]):
        parsed = example_schema.parse(record, stems=True)
        if parsed[example_schema.CLIP_ID] == b"scene-0000004":
            break
    stems = [
        codec.decode(stem, "pcm16") for stem in parsed[example_schema.STEMS]
    ]
    np.testing.assert_allclose(stems, scene.stems, atol=1e-4)
    names = [n.decode() for n in parsed[example_schema.STEM_NAMES].numpy()]
    assert names == list(scene.stem_names)
    labels = parsed[example_schema.LABELS].numpy()
    assert [CLASS_NAMES[k] for k in labels] == list(scene.labels)


def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, monkeypatch):
    for number in range(9):
        write(tmp_path / "in" / "x" / f"{number}.wav", tone(0.3))
    (tmp_path / "in" / "bad.wav").write_text("bad")
    options = config(tmp_path, clips_per_shard=2)
    whole = dataclasses.replace(options, output=str(tmp_path / "whole"))
    ingest_job.run(whole)
    read_clip = sound_file.read_clip
    for budget in (1, 3, 4):
        left = iter(range(budget))

        def interrupted(*arguments, left=left):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return read_clip(*arguments)

        monkeypatch.setattr(sound_file, "read_clip", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ingest_job.run(options)
        assert not (tmp_path / "out" / "dataset.json").exists()
    monkeypatch.setattr(sound_file, "read_clip", read_clip)
    ingest_job.run(options)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_finished_output_is_left_alone_and_a_lost_shard_remade(tmp_path):
    options = synthetic(tmp_path)
    info = ingest_job.run(options)
    before = contents(tmp_path / "out")
    times = {}
    for shard in info.splits["train"]:
        times[shard.file] = (info.folder / shard.file).stat().st_mtime_ns
    assert ingest_job.run(options) == info
    for file, time_ns in times.items():
        assert (info.folder / file).stat().st_mtime_ns == time_ns
    lost, *kept = times
    (info.folder / lost).unlink()
    with pytest.raises(UserError, match=f"{lost} is missing"):
        DatasetInfo.load(info.folder).check_whole()
    assert ingest_job.run(options) == info
    assert contents(tmp_path / "out") == before
    for file in kept:
        assert (info.folder / file).stat().st_mtime_ns == times[file]


def test_other_options_for_an_output_are_refused(tmp_path):
    options = synthetic(tmp_path)
    ingest_job.run(options)
    with pytest.raises(UserError, match="--seed=0, now it is 1"):
        ingest_job.run(dataclasses.replace(options, seed=1))


def test_mostly_bad_input_stops_the_job_with_the_list(tmp_path):
    write(tmp_path / "in" / "good.wav")
    for number in range(2):
        (tmp_path / "in" / f"{number}.wav").write_text("bad")
    options = config(tmp_path)
    with pytest.raises(UserError) as caught:
        ingest_job.run(options)
    message = str(caught.value)
    assert "2 of 3 inputs are bad" in message and "0.wav: not read" in message
    assert "--max_bad_fraction=0.5" in message
    assert sorted(rejects(tmp_path)) == ["0.wav", "1.wav"]
    info = ingest_job.run(dataclasses.replace(options, max_bad_fraction=0.7))
    assert list(clips(info)) == ["good.wav"]


def test_nothing_but_bad_input_is_told(tmp_path):
    write(tmp_path / "in" / "a.wav", np.zeros(16000))
    with pytest.raises(UserError, match="1 of 1 inputs are bad.*1 are silent"):
        ingest_job.run(config(tmp_path))
    with pytest.raises(UserError, match="split train has no clip"):
        ingest_job.run(config(tmp_path, max_bad_fraction=1.0))


def test_a_split_that_is_all_bad_is_told(tmp_path):
    write(tmp_path / "in" / "a.wav")
    (tmp_path / "in" / "b.wav").write_text("bad")
    table = tmp_path / "l.csv"
    table.write_text("filename,labels,split\na.wav,x,train\nb.wav,x,eval\n")
    with pytest.raises(UserError, match="split eval has no clip"):
        ingest_job.run(config(tmp_path, labels=str(table)))
    assert list(rejects(tmp_path)) == ["b.wav"]


def test_a_wrong_input_leaves_no_output_behind(tmp_path):
    with pytest.raises(UserError, match="in does not exist"):
        ingest_job.run(config(tmp_path))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"output": ""}, "--output is empty"),
        ({"input": ""}, "--input is empty"),
        ({"source": "synthetic"}, "--input does not go with"),
        ({"eval_folds": ("1",)}, "--eval_folds needs --labels"),
        (
            {"source": "esc", "labels": "l.csv"},
            "--labels does not go with --source=esc, only with folder:",
        ),
        (
            {"source": "fsd50k", "eval_folds": ("1",)},
            "--eval_folds does not go with --source=fsd50k, only with folder, "
            "esc:",
        ),
        ({"source": "esc", "input": ""}, "--input is empty"),
        ({"esc10_only": True}, "--esc10_only does not go with --source=folder"),
        ({"source": "audioset"}, "--segments is empty.*balanced_train"),
        (
            {"source": "audioset", "segments": ("eval_segments.csv",)},
            "--class_labels is empty.*class_labels_indices.csv",
        ),
        ({"classes": ("a", "b", "a")}, "names a class twice"),
        ({"beam_options": "--x"}, "--beam_options goes with another --runner"),
        ({"min_seconds": 11.0}, "--min_seconds=11 is above --clip_seconds=10"),
    ],
)
def test_options_that_do_not_go_together(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        config(tmp_path, **options)


def program(*arguments, cwd, module=False):
    start = ["-m", "data.write_shards"]
    if not module:
        start = [str(ROOT / "data" / "write_shards.py")]
    return subprocess.run(
        [sys.executable, *start, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
    )


def test_help_is_readable_and_quick_to_get(tmp_path):
    done = program("--help", cwd=ROOT, module=True)
    assert "Writes shards of clips from recordings" in done.stdout
    for field in dataclasses.fields(IngestConfig):
        assert f"--{field.name}:" in done.stdout or f"--[no]{field.name}:" in (
            done.stdout
        )
    # Neither TensorFlow nor pandas is needed to show it.
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.path.insert(0, '.'); import data.write_shards; "
            "print([m for m in ('tensorflow', 'pandas') if m in sys.modules])",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--input=gone"], "--input=gone does not exist"),
        (["--input=no_audio"], "--input=no_audio has no .wav"),
        (["--input=in", "--labels=l.csv"], "has no column 'labels'"),
        (["--flagfile=a.flags"], "Unknown command line flag 'no_such_flag'"),
    ],
)
def test_a_mistake_is_one_line_and_a_non_zero_exit(
    tmp_path, arguments, message
):
    write(tmp_path / "in" / "a.wav")
    (tmp_path / "no_audio").mkdir()
    (tmp_path / "l.csv").write_text("filename,label\na.wav,x\n")
    (tmp_path / "a.flags").write_text("--seed=1\n--no_such_flag=1\n")
    done = program(*arguments, "--output=out", cwd=tmp_path)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ") and message in line


def test_by_path_from_another_directory_with_two_workers(tmp_path):
    for number in range(3):
        write(tmp_path / "in" / "dog" / f"{number} <script>.wav")
    (tmp_path / "in" / "bad.wav").write_text("bad")
    arguments = ["--input=in", "--output=out", "--workers=2"]
    done = program(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "train: 2 clips, 2s, 0 unlabeled" in done.stdout
    assert "left out: 1 not_audio; see out/rejects.csv" in done.stdout
    assert "shards: out, described in dataset.json" in done.stdout
    assert "write_shards: 3/3 clips (100%)" in done.stderr
    info = DatasetInfo.load(tmp_path / "out")
    assert "dog/0 <script>.wav" in clips(info)
    ingest_job.run(config(tmp_path, output=str(tmp_path / "inline")))
    assert contents(tmp_path / "out") == contents(tmp_path / "inline")
    again = program(*arguments, cwd=tmp_path)
    assert again.returncode == 0 and "is finished" in again.stderr


def test_shards_are_plain_tfrecord_files(tmp_path):
    info = ingest_job.run(synthetic(tmp_path))
    file = info.folder / info.splits["train"][0].file
    assert len(list(tf.data.TFRecordDataset(str(file)))) == 2
    saved = json.loads((info.folder / "dataset.json").read_text("utf-8"))
    assert saved["splits"]["train"][0]["num_bytes"] == file.stat().st_size
