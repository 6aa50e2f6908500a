import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from data import write_shards
from data.ingest import ingest_job
from data.ingest.ingest_config import IngestConfig
from data.jobs.decoder_pool import DecoderPool
from data.run.errors import UserError
from data.shards import stored_clip
from data.shards.dataset_info import DatasetInfo
from data.synthetic.scenes import CLASS_NAMES, generate_scene
from tests.data import containers
from tests.data.ingested import clips, records, rejects
from tests.data.jobs.shard_jobs_test import ROOT, files
from tests.data.sound_files import tone, write
from tests.evaluate.entry_point_runs import call_main


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
    """All files but the options, whose paths differ."""
    found = files(folder)
    found.pop("config.json", None)
    return found


def test_folder_names_become_labels_and_audio_and_hard_names_are_kept(
    tmp_path,
):
    hard = "<b>&é/žluťoučký \"犬\" '<script>'.flac"
    sounds = {
        f"dog/{number}.wav": tone(frequency_hz=500 + 250 * number)
        for number in range(4)
    } | {hard: tone(), "x\\xff.wav": tone()}
    for name, audio in sounds.items():
        write(tmp_path / "in" / name, audio)
    undecodable = os.fsencode(tmp_path / "in") + b"/x\xff.wav"
    os.rename(tmp_path / "in" / "x\\xff.wav", undecodable)
    for audio_format in "pcm16", "flac":
        output = str(tmp_path / audio_format)
        info = ingest_job.run(
            config(tmp_path, output=output, audio_format=audio_format)
        )
        assert info.class_names == ("<b>&é", "dog")
        assert info.summary["clips"] == {"eval": 2, "train": 4}
        assert sum(info.summary["unlabeled"].values()) == 1
        assert sum(info.summary["seconds"].values()) == 6
        found = clips(info)
        assert {name: labels for name, (_, labels) in found.items()} == {
            **{f"dog/{number}.wav": ["dog"] for number in range(4)},
            hard: ["<b>&é"],
            "x\\xff.wav": [],
        }
        for name, audio in sounds.items():
            np.testing.assert_allclose(found[name][0], audio, atol=1e-4)


def test_conversions_are_counted_and_bad_files_listed(tmp_path):
    folder = tmp_path / "in"
    write(folder / "8k.wav", tone(1, 8000), 8000)
    write(folder / "96k.wav", tone(1, 96000), 96000)
    write(folder / "good.wav")
    write(folder / "loud.wav", tone(amplitude=1.5), subtype="FLOAT")
    for rate_hz in 16000, 22050:
        stereo = np.stack(2 * [tone(1, rate_hz)], 1)
        write(folder / f"stereo {rate_hz}.ogg", stereo, rate_hz)
    not_finite = tone()
    not_finite[3] = np.nan
    write(folder / "nan.wav", not_finite, subtype="FLOAT")
    write(folder / "silent.wav", np.zeros(16000))
    write(folder / "short.wav", tone(0.1))
    (folder / "text.wav").write_text("no audio")
    (folder / "empty.mp3").touch()
    os.symlink("nowhere", folder / "broken link.ogg")
    info = ingest_job.run(config(tmp_path))
    kept = clips(info)
    assert [audio.size for audio, _ in kept.values()] == [16000] * 6
    assert kept["loud.wav"][0].max() == pytest.approx(1, abs=1e-4)
    counts = ("upsampled", "downsampled", "mixed_down", "clipped_at_full_scale")
    assert [info.summary[name] for name in counts] == [1, 2, 2, 1]
    found = rejects(tmp_path)
    assert {name: kind for name, (kind, _) in found.items()} == {
        "nan.wav": "non_finite",
        "silent.wav": "silent",
        "short.wav": "too_short",
        "text.wav": "not_audio",
        "empty.mp3": "empty",
        "broken link.ogg": "broken_link",
    }
    assert "1 of 16000 samples" in found["nan.wav"][1]
    assert "--keep_silent" in found["silent.wav"][1]
    assert "0.1 s is shorter than --min_seconds" in found["short.wav"][1]
    assert info.summary["rejects"] == {
        kind: 1 for kind, _ in sorted(found.values())
    }


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
    for start_s in (0, 1.5, 3):
        first = round(start_s * 16000)
        cut = noise[first : first + 32000]
        audio, _ = found[f"0.wav#{start_s:.3f}"]
        np.testing.assert_allclose(audio, cut, atol=1e-4)


def test_silent_and_short_clips_are_left_out_or_kept(tmp_path):
    write(tmp_path / "in" / "a.wav", np.append(tone(2), np.zeros(32000)))
    write(tmp_path / "in" / "b.wav", tone(0.1))
    options = {"clip_seconds": 2.0, "max_bad_fraction": 1.0}
    info = ingest_job.run(config(tmp_path, **options))
    assert list(clips(info)) == ["a.wav#0.000"]
    kind, reason = rejects(tmp_path)["a.wav"]
    assert kind == "silent" and reason.startswith("the clip at 2 s: its mono")
    options |= {"keep_silent": True, "min_seconds": 0.1}
    options["output"] = str(tmp_path / "all")
    info = ingest_job.run(config(tmp_path, **options))
    assert {name: audio.size for name, (audio, _) in clips(info).items()} == {
        "a.wav#0.000": 32000,
        "a.wav#2.000": 32000,
        "b.wav": 1600,
    }


def test_folds_and_unknown_labels(tmp_path):
    rows = ["filename,labels,fold"]
    for number in range(8):
        write(tmp_path / "in" / f"{number}.wav")
        rows.append(f"{number}.wav,dog,{number % 4 + 1}")
    rows[2] = "1.wav,dgo,2"
    table = tmp_path / "l.csv"
    table.write_text("\n".join([*rows, "gone.wav,dog,1"]))
    options = {"classes": ("rain", "dog"), "eval_folds": ("4",)}
    info = ingest_job.run(config(tmp_path, labels=str(table), **options))
    assert sorted(clips(info, ["eval"])) == ["3.wav", "7.wav"]
    assert info.class_names == ("rain", "dog")
    assert info.summary["clips_per_class"] == {
        "train": {"rain": 0, "dog": 5},
        "eval": {"rain": 0, "dog": 2},
    }
    kinds = {name: kind for name, (kind, _) in rejects(tmp_path).items()}
    assert kinds == {"1.wav": "unknown_label", "gone.wav": "no_such_file"}


@pytest.mark.parametrize("column", ["split", "fold"])
def test_a_share_for_eval_goes_with_no_table_that_has_splits(column, tmp_path):
    for name in "ab":
        write(tmp_path / "in" / f"{name}.wav", tone(0.25))
    labels = tmp_path / "l.csv"
    labels.write_text(f"filename,labels,{column}\na.wav,x,1\nb.wav,x,2\n")
    options = {"labels": str(labels), "eval_fraction": 0.5}
    with pytest.raises(UserError, match="--eval_fraction=0.5 has no effect"):
        ingest_job.run(config(tmp_path, **options))
    assert not (tmp_path / "out").exists()
    labels.write_text("filename,labels\na.wav,x\nb.wav,x\n")
    info = ingest_job.run(config(tmp_path, **options))
    assert info.summary["clips"] == {"eval": 1, "train": 1}


def test_clips_are_shuffled_across_shards_by_the_seed(tmp_path):
    for number in range(12):
        write(tmp_path / "in" / f"{number:02d}.wav", tone(0.25))
    orders = []
    for seed in 0, 1:
        options = {"seed": seed, "output": str(tmp_path / f"out{seed}")}
        options |= {"eval_fraction": 0.0, "clips_per_shard": 5}
        info = ingest_job.run(config(tmp_path, **options))
        assert list(info.splits) == ["train"]
        assert [s.clips for s in info.splits["train"]] == [4, 4, 4]
        orders.append(list(clips(info)))
    assert sorted(orders[0]) == sorted(orders[1]) != orders[0] != orders[1]


def test_scenes_carry_their_stems(tmp_path):
    info = ingest_job.run(synthetic(tmp_path, seed=3))
    assert info.has_stems and info.class_names == CLASS_NAMES
    assert info.summary["clips"] == {"eval": 2, "train": 7}
    scene = generate_scene(3, 4, 0.5, 16000)
    stored = [
        stored_clip.read(record.numpy(), info, stems=True)
        for record in records(info, ["train", "eval"])
    ]
    [clip] = [clip for clip in stored if clip.clip_id == "scene-0000004"]
    names, stems = zip(*clip.stems, strict=True)
    np.testing.assert_allclose(stems, scene.stems, atol=1e-4)
    assert names == tuple(scene.stem_names)
    assert clip.labels == tuple(scene.labels)


def test_a_finished_output_is_left_alone_and_a_lost_shard_remade(tmp_path):
    options = synthetic(tmp_path)
    info = ingest_job.run(options)
    before = contents(tmp_path / "out")

    def times():
        shards = info.splits["train"]
        return [(info.folder / s.file).stat().st_mtime_ns for s in shards]

    written = times()
    assert ingest_job.run(options) == info
    assert times() == written
    lost = info.splits["train"][0].file
    (info.folder / lost).unlink()
    with pytest.raises(UserError, match=f"{lost} is missing"):
        DatasetInfo.load(info.folder).check_whole()
    assert ingest_job.run(options) == info
    assert contents(tmp_path / "out") == before
    assert times()[1:] == written[1:]
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
    assert "2 of 3 inputs are bad" in message and "0.wav: no sound" in message
    assert "--max_bad_fraction=0.5" in message
    assert sorted(rejects(tmp_path)) == ["0.wav", "1.wav"]
    info = ingest_job.run(dataclasses.replace(options, max_bad_fraction=0.7))
    assert list(clips(info)) == ["good.wav"]


def test_a_split_that_is_all_bad_is_told(tmp_path):
    write(tmp_path / "in" / "a.wav")
    write(tmp_path / "in" / "b.wav", np.zeros(16000))
    table = tmp_path / "l.csv"
    table.write_text("filename,labels,split\na.wav,x,train\nb.wav,x,eval\n")
    with pytest.raises(UserError, match="split eval has no clip"):
        ingest_job.run(config(tmp_path, labels=str(table)))
    assert list(rejects(tmp_path)) == ["b.wav"]
    (tmp_path / "in" / "a.wav").unlink()
    silent = {"output": str(tmp_path / "silent"), "max_bad_fraction": 1.0}
    with pytest.raises(UserError, match="split train has no clip"):
        ingest_job.run(config(tmp_path, **silent))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"output": ""}, "--output is empty"),
        ({"input": ""}, "--input is empty"),
        ({"eval_folds": ("1",)}, "--eval_folds needs --labels"),
        (
            {"source": "fsd50k", "eval_folds": ("1",)},
            "--eval_folds does not .* --source=fsd50k, only with folder, esc:",
        ),
        ({"source": "audioset"}, "--segments is empty.*balanced_train"),
        ({"classes": ("a", "b", "a")}, "names a class twice"),
        ({"beam_options": "--x"}, "--beam_options goes with another --runner"),
        ({"min_seconds": 11.0}, "--min_seconds=11 is above --clip_seconds=10"),
    ],
)
def test_options_that_do_not_go_together(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        config(tmp_path, **options)


def test_tensorflow_is_not_needed_for_help():
    program = (
        "import sys, data.write_shards; print('tensorflow' in sys.modules)"
    )
    command = [sys.executable, "-c", program]
    assert subprocess.check_output(command, cwd=ROOT) == b"False\n"


def test_shards_are_written_without_tensorflow_or_what_is_not_needed(tmp_path):
    for name in ("tensorflow", "keras", "pandas"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    for number in range(3):
        write(tmp_path / "in" / f"{number}.wav", tone(1, 44100), 44100)
    (tmp_path / "in" / "bad.wav").write_text("bad")
    folder = config(tmp_path, output=str(tmp_path / "folder"))
    scenes = synthetic(tmp_path, output=str(tmp_path / "scenes"))
    for options, flags in (
        (folder, [f"--input={folder.input}"]),
        (
            scenes,
            [
                "--source=synthetic",
                "--num_clips=9",
                "--scene_seconds=0.5",
                "--clips_per_shard=3",
            ],
        ),
    ):
        out = tmp_path / "out"
        done = subprocess.run(
            [
                sys.executable,
                ROOT / "data" / "write_shards.py",
                f"--output={out}",
                *flags,
            ],
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        ingest_job.run(options)
        assert contents(out) == contents(pathlib.Path(options.output))
        shutil.rmtree(out)


def test_two_workers_write_the_same_and_the_counts_are_told(
    tmp_path, monkeypatch, capsys
):
    for number in range(3):
        write(tmp_path / "in" / "dog" / f"{number} <script>.wav")
    (tmp_path / "in" / "bad.wav").write_text("bad")
    here = config(tmp_path, output=str(tmp_path / "here"))
    ingest_job.run(here)
    out = tmp_path / "out"
    monkeypatch.setattr(ingest_job, "DecoderPool", DecoderPool)
    call_main(write_shards, config(tmp_path, workers=2))
    told, progress = capsys.readouterr()
    assert told.splitlines() == [
        "eval: 1 clips, 1s, 0 unlabeled",
        "train: 2 clips, 2s, 0 unlabeled",
        "classes: 1 (dog)",
        f"left out: 1 not_audio; see {out}/rejects.csv",
        f"shards: {out}, described in dataset.json",
    ]
    assert "write_shards: 3/3 clips (100%)" in progress
    assert "dog/0 <script>.wav" in clips(DatasetInfo.load(out))
    assert contents(out) == contents(tmp_path / "here")


def remade(tmp_path, caplog, **options):
    """Runs a job again: its result, the shards it made, what it told."""
    shards = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("*.tf*")}
    caplog.clear()
    with caplog.at_level("INFO"):
        info = ingest_job.run(config(tmp_path, **options))
    made = {
        path.name
        for path in (tmp_path / "out").glob("*.tfrecord")
        if shards.get(path) != path.stat().st_mtime_ns
    }
    return info, made, caplog.text


@pytest.fixture
def labeled(tmp_path):
    """Options of a finished job of six recordings, one a shard."""
    for number in range(6):
        name = tmp_path / "in" / f"{number}.wav"
        write(name, tone(0.5, frequency_hz=300 * (number + 1)))
    options = {"labels": str(tmp_path / "l.csv"), "clips_per_shard": 1}
    write_labels(tmp_path)
    ingest_job.run(config(tmp_path, **options))
    return options


def write_labels(tmp_path, **changed):
    label_of = dict(zip("012345", 3 * ("cat", "dog"), strict=True)) | changed
    rows = [f"{name}.wav,{label},train" for name, label in label_of.items()]
    text = "\n".join(["filename,labels,split", *rows])
    (tmp_path / "l.csv").write_text(text)


def shard_of(info, clip_id):
    [shard] = [
        shard.file
        for shard in info.splits["train"]
        if clip_id.encode() in (info.folder / shard.file).read_bytes()
    ]
    return shard


def test_what_is_unchanged_is_left_wherever_it_lies(
    tmp_path, labeled, caplog, monkeypatch
):
    before = contents(tmp_path / "out")
    os.rename(tmp_path / "in", tmp_path / "moved")
    os.utime(tmp_path / "moved" / "3.wav", (1, 1))
    monkeypatch.chdir(tmp_path)
    for folder in str(tmp_path / "moved"), "moved/", "./moved":
        again = labeled | {"input": folder, "labels": "l.csv"}
        _, made, told = remade(tmp_path, caplog, **again)
        assert not made and "out is finished: nothing to do" in told
        assert contents(tmp_path / "out") == before


def test_what_depends_on_a_changed_recording_or_label_is_made_again(
    tmp_path, labeled, caplog
):
    # Of the same size and date, the change in the middle.
    path = tmp_path / "in" / "3.wav"
    status, data = path.stat(), bytearray(path.read_bytes())
    data[5000:9000] = bytes(4000)
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    info, made, told = remade(tmp_path, caplog, **labeled)
    assert made == {shard_of(info, "3.wav")}
    assert "recordings have changed: 1 with other sound (3.wav);" in told
    assert not clips(info)["3.wav"][0][3000:4000].any()

    write_labels(tmp_path, **{"1": "cat", "2": "dog"})
    info, made, told = remade(tmp_path, caplog, **labeled)
    assert made == {shard_of(info, "1.wav"), shard_of(info, "2.wav")}
    assert "2 with other labels or split (1.wav, 2.wav);" in told
    labels = [label for _, (_, [label]) in sorted(clips(info).items())]
    assert labels == ["cat", "cat", "dog", "dog", "cat", "dog"]

    # The numbers of the labels change with the order of names.
    write_labels(
        tmp_path, **{str(n): "zebu" for n in (0, 1, 4)}, **{"2": "dog"}
    )
    info, made, told = remade(tmp_path, caplog, **labeled)
    assert info.class_names == ("dog", "zebu") and len(made) == 6
    labels = [label for _, (_, [label]) in sorted(clips(info).items())]
    assert labels == ["zebu", "zebu", "dog", "dog", "zebu", "dog"]


def test_added_and_removed_recordings_are_told(tmp_path, labeled, caplog):
    (tmp_path / "in" / "5.wav").unlink()
    for number in range(6, 10):
        write(tmp_path / "in" / f"{number}.wav")
    info, _, told = remade(tmp_path, caplog, **labeled)
    assert "4 added (6.wav, 7.wav, 8.wav, ...); 1 removed (5.wav);" in told
    assert sorted(clips(info)) == [
        f"{n}.wav" for n in (0, 1, 2, 3, 4, *range(6, 10))
    ]
    fresh = config(tmp_path, output=str(tmp_path / "fresh"), **labeled)
    ingest_job.run(fresh)
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_shards_stay_when_the_recordings_are_gone(tmp_path, labeled, caplog):
    before = contents(tmp_path / "out")
    for path in (tmp_path / "in").iterdir():
        path.unlink()
    (tmp_path / "in" / "notes.txt").touch()
    for _ in range(2):
        _, made, told = remade(tmp_path, caplog, **labeled)
        assert not made and contents(tmp_path / "out") == before
        assert f"--input={tmp_path}/in: the recordings are gone; " in told
        shutil.rmtree(tmp_path / "in", ignore_errors=True)
    next((tmp_path / "out").glob("*.tfrecord")).unlink()
    with pytest.raises(UserError, match="--input=.*in does not exist"):
        ingest_job.run(config(tmp_path, **labeled))


def test_what_a_file_is_called_does_not_matter(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "in"
    for name, suffix in (("a.txt", ".m4a"), ("b", ".opus"), ("c.wav", ".mp3")):
        containers.write(folder / name, tone(1, 48000), 48000, kind=suffix)
    (folder / "notes.txt").write_text("no sound\n")
    for name in "x.jpg", "y.jpg":
        (folder / name).write_bytes(b"\xff\xd8\xff\xe0" + bytes(2000))
    (folder / "list.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,\n{folder}/c.wav\n")
    (folder / "d.mp3").write_text(
        f"ffconcat version 1.0\nfile {folder}/c.wav\n"
    )
    data = write(folder / "e.wav").read_bytes()
    (folder / "e.wav").write_bytes(data[:20044])
    call_main(write_shards, config(tmp_path, max_bad_fraction=0.2))
    told = capsys.readouterr()[0].splitlines()
    assert told[-4:-1] == [
        f"left out: 1 not_audio; see {tmp_path}/out/rejects.csv",
        f"used in part: 1 cut_short; see {tmp_path}/out/rejects.csv",
        "files that are no recordings: 2 .jpg, 1 .m3u8, 1 .txt",
    ]
    found = clips(DatasetInfo.load(tmp_path / "out"))
    assert {name: audio.size for name, (audio, _) in found.items()} == {
        **dict.fromkeys(("a.txt", "b", "c.wav"), 16000),
        "e.wav": 10000,
    }
    assert rejects(tmp_path) == {
        "*.jpg": (
            "no_recording",
            "no sound in x.jpg and 1 more",
        ),
        "*.m3u8": (
            "no_recording",
            "no sound in list.m3u8",
        ),
        "*.txt": (
            "no_recording",
            "no sound in notes.txt",
        ),
        "d.mp3": (
            "not_audio",
            "no sound file that FFmpeg knows: convert it to WAV or FLAC, or "
            "take it away",
        ),
        "e.wav": (
            "cut_short",
            "0.62 s are there of the 1.00 s that its header promises: they "
            "are used; copy it again for the rest",
        ),
    }


def test_a_folder_without_sound_is_told(tmp_path):
    (tmp_path / "in").mkdir()
    for name in "a.txt", "b.txt", "c.csv":
        (tmp_path / "in" / name).write_text("no sound")
    told = r"--input=.*no recording at any depth \(found: 2 .txt, 1 .csv\)"
    with pytest.raises(UserError, match=told):
        ingest_job.run(config(tmp_path))


def test_bad_inputs_are_recordings_not_clips(tmp_path):
    write(tmp_path / "in" / "long.flac", np.zeros(16000 * 30))
    for number in range(3):
        write(tmp_path / "in" / f"{number}.wav")
    options = {"clip_seconds": 1.0, "eval_fraction": 0.0}
    options |= {"max_bad_fraction": 0.25}
    info = ingest_job.run(config(tmp_path, **options))
    assert info.summary["rejects"] == {"silent": 30} and len(clips(info)) == 3
    with pytest.raises(UserError, match="1 of 4 inputs are bad, more than"):
        ingest_job.run(config(tmp_path, **options | {"max_bad_fraction": 0.2}))
