import base64
import dataclasses
import io
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from data.audio import encoding
from data.inspect_shards import InspectConfig, inspect_shards
from data.inspection.scan import draw_clips
from data.run.errors import UserError
from data.shards import example_schema
from data.shards.dataset_info import DatasetInfo, Shard
from tests.html_pages import Page, assert_refers_to_nothing_outside

ROOT = pathlib.Path(__file__).resolve().parents[2]
RATE_HZ = 8000
EVIL = "a \"quoted\" <script>alert(1)</script> & 'ñ' 鳥 {{ 7*7 }}"
CLASS_NAMES = (EVIL, "hiss", "tick", "never")
PROCESSORS = ("A<b>", "B")
LSB = 1 / 32768


def sine(amplitude, seconds):
    # 125 Hz: a whole number of periods in every length used here.
    return amplitude * np.sin(
        2 * np.pi * 125 * np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    )


# Split, shard: (id, labels, mixture, channels that are not as in `halves`).
LOUD, QUIET = sine(0.5, 1.0), sine(0.0002, 0.4)
CLIPPED = np.clip(sine(1.5, 2.0), -1, 1)
CLIPS = {
    ("train", 0): [
        (f"loud {EVIL}", (0,), LOUD),
        ("silence", (), np.zeros(4000)),
        ("clipped", (0, 1), CLIPPED),
    ],
    ("train", 1): [("quiet", (2,), QUIET), ("again", (2,), QUIET)],
    ("eval", 0): [("again", (1,), sine(0.25, 0.8)), ("loud", (0, 2), LOUD)],
}


def halves(clip_id, mixture):
    """Channels of B, in 16 bits: they add up but for what is put in here."""
    stored = encoding.to_int16(mixture).astype(np.float64) * LSB
    first = np.floor(stored / 2 / LSB) * LSB
    second = stored - first
    if clip_id == "quiet":
        second = second + 7 * LSB
    return first, second


def write(folder, codec=encoding.PCM16, separated=True):
    folder.mkdir(parents=True)

    def encode(audio):
        return encoding.encode(audio, codec, RATE_HZ)

    splits = {"train": (), "eval": (), "empty": ()}
    for (split, number), clips in CLIPS.items():
        file = folder / f"{split}-{number}.tfrecord"
        with tf.io.TFRecordWriter(str(file)) as writer:
            for clip_id, labels, mixture in clips:
                record = example_schema.serialize(
                    example_schema.ClipRecord(
                        clip_id=clip_id,
                        source=EVIL,
                        start_s=0.0,
                        labels=labels,
                        audio=encode(mixture),
                        num_samples=len(mixture),
                    )
                )
                if separated:
                    # A: all in the first channel.
                    both = {
                        "A<b>": (mixture, 0 * mixture),
                        "B": halves(clip_id, mixture),
                    }
                    record = example_schema.with_channels(
                        record,
                        {
                            name: [encode(channel) for channel in channels]
                            for name, channels in both.items()
                        },
                    )
                writer.write(record)
        seconds = sum(len(mixture) for _, _, mixture in clips) / RATE_HZ
        size = file.stat().st_size
        splits[split] += (Shard(file.name, len(clips), seconds, size),)
    info = DatasetInfo(
        folder=folder,
        sample_rate_hz=RATE_HZ,
        audio_format=codec,
        class_names=CLASS_NAMES,
        splits=splits,
        processors=PROCESSORS if separated else (),
        num_channels=2 if separated else 0,
        summary={"rejects": {EVIL: 3}},
    )
    info.save()
    return info


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inspect") / "shards"
    write(folder)
    return folder


def config(shards, page, **changes):
    return InspectConfig(
        **{"shards": str(shards), "output": str(page), "workers": 1, **changes}
    )


@pytest.fixture(scope="module")
def output(shards):
    page = shards.parent / "out" / "page.html"
    numbers = inspect_shards(config(shards, page, sample=7))
    assert numbers == shards.parent / "out" / "page.json"
    return page


@pytest.fixture(scope="module")
def numbers(output):
    return json.loads(output.with_suffix(".json").read_text("utf-8"))


@pytest.fixture(scope="module")
def page(output):
    return Page(output.read_text("utf-8"))


def test_clips_lengths_and_labels(numbers, shards):
    assert list(numbers["splits"]) == ["eval", "train"]
    train = numbers["splits"]["train"]
    wanted = {
        "shards": 2,
        "num_bytes": sum(f.stat().st_size for f in shards.glob("train-*")),
        "clips": 5,
        "seconds": 1.0 + 0.5 + 2.0 + 0.4 + 0.4,
        "shortest_s": 0.4,
        "longest_s": 2.0,
        "labeled": 4,
        "unlabeled": 1,
        "labels_per_clip": {"0": 1, "1": 3, "2": 1},
        "clips_per_class": {EVIL: 2, "hiss": 1, "tick": 2},
        "silent": 3,
        "clipped": 1,
        "bad_records": {},
    }
    assert {key: train[key] for key in wanted} == wanted
    assert numbers["splits"]["eval"]["labels_per_clip"] == {"1": 1, "2": 1}
    assert numbers["class_names"] == list(CLASS_NAMES)
    assert numbers["sample_rate_hz"] == RATE_HZ


def in_bins(histogram):
    """Lower edge of each bin that is not empty, and its count."""
    return {
        histogram["low_db"] + (place - 1) * histogram["bin_db"]: count
        for place, count in enumerate(histogram["counts"])
        if count
    }


def test_levels_are_those_of_the_sines(numbers):
    train = numbers["splits"]["train"]
    # 0.5 / sqrt(2): -9.03 dB. 0.0002: 7 of 32768, so -76.4 dB. The clipped one
    # is above a sine at full scale, -3.01 dB, and below a square, 0 dB.
    assert in_bins(train["rms_db"]) == {-12: 1, -78: 2, -3: 1}
    assert train["rms_db"]["digital_silence"] == 1
    assert in_bins(train["peak_db"]) == {-9: 1, -75: 2, 0: 1}
    levels = numbers["splits"]["eval"]["rms_db"]
    assert in_bins(levels) == {-18: 1, -12: 1}
    expected = 20 * np.log10([0.25, 0.5]).mean() - 10 * np.log10(2)
    assert levels["mean_db"] == pytest.approx(expected, abs=1e-3)


def test_channels_of_known_levels(numbers):
    train = numbers["splits"]["train"]["processors"]
    first, second = train["A<b>"]["channels"]
    # The silent mixture has no level to compare with.
    assert in_bins(first["relative_db"]) == {0: 4}
    assert first["relative_db"]["mean_db"] == pytest.approx(0, abs=1e-9)
    assert (first["nearly_empty"], first["empty"]) == (3, 1)
    assert second["relative_db"]["digital_silence"] == 4
    assert second["relative_db"]["mean_db"] is None
    assert (second["nearly_empty"], second["empty"]) == (5, 5)
    evaluated = numbers["splits"]["eval"]["processors"]["B"]["channels"]
    for channel in evaluated:
        mean_db = channel["relative_db"]["mean_db"]
        assert mean_db == pytest.approx(-6.02, abs=0.01)
        assert channel["nearly_empty"] == channel["empty"] == 0


def test_deviation_of_the_sum_from_the_mixture(numbers):
    found = numbers["splits"]["train"]["processors"]
    keys = (
        "largest_deviation_lsb",
        "largest_deviation_clip",
        "sum_deviates",
    )
    assert [found["A<b>"][key] for key in keys] == [0, "", 0]
    assert [found["B"][key] for key in keys] == [7, "quiet", 1]


def test_ids_that_occur_twice_are_named_with_their_splits(numbers):
    assert numbers["duplicate_ids"] == 1
    assert numbers["duplicates"] == {"again": ["eval", "train"]}


def test_page_is_self_contained_and_escapes_names(output, page):
    text = output.read_text("utf-8")
    assert_refers_to_nothing_outside(text)
    assert "<script>alert" not in text and "A<b>" not in text
    shown = " ".join(page.texts)
    assert f"loud {EVIL}" in shown and "A<b>, channel 2" in shown


def test_page_shows_numbers_classes_and_clips(page):
    shown = page.values()
    for value in (5, 2, 3, 7, 4.3, 0.4):
        assert value in shown
    words = " ".join(page.texts)
    for text in (*CLASS_NAMES, "never", "2 (40 %)", "clip ids occur more"):
        assert text in words
    # Two levels a split, one for each channel of each processor and split.
    assert page.count("figure", "class", "chart") == 2 * 2 + 2 * 4
    sounds = 7 * (1 + 4)
    assert page.count("img", "src", "data:image/png") == sounds
    assert page.count("audio", "data-sound") == sounds
    assert page.count("article", "class", "example") == 7


def test_players_hold_the_stored_samples(page):
    payload = json.loads(page.scripts[0])
    stored = {
        len(mixture): encoding.to_int16(mixture)
        for clips in CLIPS.values()
        for clip_id, _, mixture in clips
        if clip_id in ("clipped", "silence")
    }
    found = 0
    for key, text in payload["sounds"].items():
        samples, rate = soundfile.read(
            io.BytesIO(base64.b64decode(text)), dtype="int16"
        )
        assert rate == RATE_HZ
        if "/" not in key and len(samples) in stored:
            np.testing.assert_array_equal(samples, stored[len(samples)])
            found += 1
    assert found == 2


def test_entry_point_in_two_processes_gives_the_same(output, shards, tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "data" / "inspect_shards.py"),
            f"--shards={shards}",
            "--output=a/b.html",
            "--sample=7",
            "--workers=2",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for name in ("html", "json"):
        made = (tmp_path / "a" / f"b.{name}").read_bytes()
        assert made == output.with_suffix(f".{name}").read_bytes()
    assert "train: 5 clips, 4s, 0.3 MB, 2 shards" in done.stdout
    assert "3 silent, 1 clipped" in done.stdout
    assert "B: channels at " in done.stdout
    assert "sum off by up to 7 LSB" in done.stdout
    assert "ids that several clips have: 1, as again in eval, train" in (
        done.stdout
    )
    assert done.stdout.endswith("page: a/b.html, numbers: a/b.json\n")
    assert "inspect: 7/7 clips (100%)" in done.stderr


def test_flac_shards_without_channels_or_room_for_audio(tmp_path):
    write(tmp_path / "flac", encoding.FLAC, separated=False)
    output = tmp_path / "page.html"
    inspect_shards(config(tmp_path / "flac", output, audio_megabytes=0))
    numbers = json.loads(output.with_suffix(".json").read_text("utf-8"))
    assert numbers["splits"]["train"]["clipped"] == 1
    assert numbers["splits"]["train"]["processors"] == {}
    page = Page(output.read_text("utf-8"))
    assert page.count("audio") == 0
    assert page.count("article", "class", "example") == 7
    assert page.count("section") == 4


def test_records_that_cannot_be_used_are_counted_by_cause(
    shards, tmp_path, capsys
):
    shutil.copytree(shards, tmp_path / "shards")
    damaged = tmp_path / "shards" / "train-0.tfrecord"
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    # A dataset.json with fewer classes than the clips' labels.
    file = tmp_path / "shards" / "dataset.json"
    value = json.loads(file.read_text("utf-8"))
    value["class_names"] = value["class_names"][:2]
    file.write_text(json.dumps(value))
    output = tmp_path / "page.html"
    inspect_shards(config(tmp_path / "shards", output))
    numbers = json.loads(output.with_suffix(".json").read_text("utf-8"))
    train = numbers["splits"]["train"]
    assert train["bad_records"] == {"checksum": 1, "wrong_shape": 2}
    assert train["clips"] == 2 and train["rms_db"]["digital_silence"] == 1
    assert numbers["splits"]["eval"]["bad_records"] == {"wrong_shape": 1}
    assert numbers["duplicate_ids"] == 0
    assert "records that cannot be used: 2 wrong_shape" in (
        capsys.readouterr().out
    )
    words = " ".join(Page(output.read_text("utf-8")).texts)
    assert "Some records cannot be used" in words and "checksum" in words


def test_sample_is_drawn_evenly_and_by_the_seed(shards):
    info = DatasetInfo.load(shards)
    many = dataclasses.replace(
        info,
        splits={
            "few": (Shard("f", 3, 1.0, 1),),
            "some": (Shard("s", 400, 1.0, 1),),
            "many": (Shard("m", 90, 1.0, 1), Shard("n", 9999, 1.0, 1)),
        },
    )
    splits = ("many", "few", "some")
    drawn = draw_clips(many, splits, 24, seed=3)
    assert {split: len(places) for split, places in drawn.items()} == {
        "few": 3,
        "some": 10,
        "many": 11,
    }
    for split in splits:
        assert (np.diff(drawn[split]) > 0).all()
        again = draw_clips(many, splits, 24, seed=3)[split]
        np.testing.assert_array_equal(drawn[split], again)
    other = draw_clips(many, splits, 24, seed=4)
    assert set(drawn["many"].tolist()) != set(other["many"].tolist())


def test_mistakes_are_told_before_anything_is_written(shards, tmp_path):
    page = tmp_path / "page.html"
    with pytest.raises(UserError, match="no split 'test'"):
        inspect_shards(config(shards, page, splits=("test",)))
    with pytest.raises(UserError, match="empty has no clip"):
        inspect_shards(config(shards, page, splits=("empty",)))
    with pytest.raises(UserError, match="does not exist"):
        inspect_shards(config(tmp_path / "none", page))
    with pytest.raises(UserError, match="--shards is empty"):
        inspect_shards(config("", page))
    with pytest.raises(ValueError, match="ending in .html"):
        config(shards, tmp_path / "page")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(UserError, match="is a folder: name a file"):
        inspect_shards(config(shards, tmp_path / "folder.html"))
    assert [path.name for path in tmp_path.iterdir()] == ["folder.html"]
