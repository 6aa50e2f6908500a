import csv
import dataclasses
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

from data.audio import codec
from data.run import content
from data.run.errors import UserError
from data.shards import example_parser, example_schema
from data.shards.dataset_info import DatasetInfo
from data.shards.record_index import RecordIndex
from models.separation.separator import Separator
from models.separation.stitching import stitch, window_starts
from tests.data.jobs.runners import ELSEWHERE
from tests.data.shards.damaged_shards import flip, index_of
from tests.train.small_shards import RATE_HZ, noise_clips, write_shards
from train.separation import channel_writer
from train.separation.separate_config import SeparateConfig

LENGTHS = (3000, 4000, 3000, 2500, 4100)
CONFIG = SeparateConfig(batch_size=2, max_bad_fraction=0.5)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    files = {}
    for seed, name in enumerate("PQ"):
        keras.utils.set_random_seed(seed)
        separator = Separator(
            basis="stft",
            bottleneck=8,
            conv_channels=12,
            num_dilations=2,
            num_repeats=1,
        )
        files[name] = tmp_path_factory.mktemp("separator") / f"{name}.keras"
        separator.save(files[name])
    return files


@pytest.fixture
def info(tmp_path):
    clips = [noise_clips(1, n, seed=n)[0] for n in LENGTHS]
    return write_shards(tmp_path / "in", clips)


def _channels(info, name="P"):
    """Clip id -> mixture and channels, read by TensorFlow's reader."""
    found = {}
    for shard in info.splits["train"]:
        for record in tf.data.TFRecordDataset(str(info.folder / shard.file)):
            clip = example_parser.parse(record, (name,), 2)
            sounds = [
                clip[example_schema.AUDIO],
                *clip[example_schema.channels_key(name)],
            ]
            mixture, *channels = (
                codec.decode(sound, info.audio_format).numpy()
                for sound in sounds
            )
            clip_id = clip[example_schema.CLIP_ID].numpy().decode()
            found[clip_id] = mixture, np.stack(channels)
    return found


def _bytes(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _damage(info, number=1):
    file = info.folder / "train-0.tfrecord"
    flip(file, index_of(info).offset_of[number] + 30)


def _bad_records(folder):
    with (folder / "bad_records.csv").open(encoding="utf-8") as stream:
        return [
            (row["shard"], row["record"], row["clip_id"], row["cause"])
            for row in csv.DictReader(stream)
        ]


def _labels(info):
    """Clip id -> label, of the clips that have one."""
    found = {}
    for shard in info.splits["train"]:
        for record in tf.data.TFRecordDataset(str(info.folder / shard.file)):
            clip = example_parser.parse(record)
            for label in clip[example_schema.LABELS].numpy():
                found[clip[example_schema.CLIP_ID].numpy().decode()] = label
    return found


def _load(file, precision):
    return channel_writer._load(str(file), content.file_sha256(file), precision)


@ELSEWHERE
def test_every_runner_gives_the_same_files(info, files, tmp_path, make_runner):
    _damage(info)
    config = dataclasses.replace(CONFIG, window_seconds=0.1)
    here, there = tmp_path / "here", tmp_path / "there"
    expected = channel_writer.separate(info, files, here, config)
    runner = make_runner()
    found = channel_writer.separate(info, files, there, config, runner)
    assert dataclasses.replace(found, folder=here) == expected
    assert _bytes(there) == _bytes(here)
    assert len(_bad_records(there)) == 1


def test_a_network_that_changed_since_the_start_is_told(files):
    with pytest.raises(UserError, match="P.keras is another one than when"):
        channel_writer._load(str(files["P"]), "0" * 64, "float32")


def test_bad_clips_are_left_out_until_they_are_repaired(info, files, tmp_path):
    """And listed; a rerun writes nothing that is as it should be."""
    whole = (info.folder / "train-0.tfrecord").read_bytes()
    _damage(info)
    out = tmp_path / "out"
    separated = channel_writer.separate(info, files, out, CONFIG)
    assert [*_channels(separated)] == ["clip0", "clip4", "clip1", "clip3"]
    first, second = separated.splits["train"]
    assert (first.clips, second.clips) == (2, 2)
    assert first.seconds == (3000 + 4100) / RATE_HZ
    assert separated.summary["clips"] == {"train": 4}
    assert separated.summary["clips_per_class"] == {
        "train": {"even": 2, "odd": 2}
    }
    bad = ("train-0.tfrecord", "1", "clip2", "checksum")
    assert _bad_records(out) == [bad]
    loaded = DatasetInfo.load(out)
    loaded.check_whole()
    assert loaded == separated
    assert len(RecordIndex.of(loaded, ["train"]).present) == 4

    def state():
        times = {p: p.stat().st_mtime_ns for p in out.rglob("[!.]*.*")}
        return _bytes(out), times

    before = state()
    assert channel_writer.separate(info, files, out, CONFIG) == separated
    assert state() == before
    (info.folder / "train-0.tfrecord").write_bytes(whole)
    channel_writer.separate(info, files, out, CONFIG)
    channel_writer.separate(info, files, tmp_path / "other", CONFIG)
    assert _bytes(out) == _bytes(tmp_path / "other")
    assert not (out / "bad_records.csv").exists()


def test_a_missing_shard_is_counted_and_limited(info, files, tmp_path):
    (info.folder / "train-1.tfrecord").unlink()
    separated = channel_writer.separate(info, files, tmp_path / "out", CONFIG)
    assert [shard.clips for shard in separated.splits["train"]] == [3, 0]
    assert [*_channels(separated)] == ["clip0", "clip2", "clip4"]
    strict = dataclasses.replace(CONFIG, max_bad_fraction=0.3)
    told = "2 of 5 clips cannot be read .*missing_file.* or raise --max_bad"
    with pytest.raises(UserError, match=told):
        channel_writer.separate(info, files, tmp_path / "strict", strict)
    assert not (tmp_path / "strict" / "dataset.json").exists()


def test_a_clip_with_a_bad_stem_is_left_out_too(files, tmp_path):
    """Stems are not needed to separate, and are written again."""
    clips = [noise_clips(1, n, seed=n)[0] for n in LENGTHS]
    stems = [clip[None] for clip in clips]
    stems[2] = stems[2][:, 1:]
    info = write_shards(tmp_path / "in", clips, stems=stems, num_shards=1)
    _damage(info)
    out = tmp_path / "out"
    separated = channel_writer.separate(info, files, out, CONFIG)
    assert [*_channels(separated)] == ["clip0", "clip3", "clip4"]
    for record in tf.data.TFRecordDataset(str(out / "train-0.tfrecord")):
        clip = example_parser.parse(record, stems=True)
        assert clip[example_schema.STEMS] == clip[example_schema.AUDIO]
    causes = [cause for *_, cause in _bad_records(out)]
    assert causes == ["checksum", "wrong_shape"]


@pytest.mark.parametrize(
    "window_seconds", [0.1, 30, pytest.param(0, marks=pytest.mark.long)]
)
def test_channels_are_those_of_the_windows_stitched(
    info, files, tmp_path, window_seconds
):
    """Of whole clips where a window is longer."""
    config = dataclasses.replace(CONFIG, window_seconds=window_seconds)
    separated = channel_writer.separate(info, files, tmp_path / "out", config)
    assert (separated.processors, separated.num_channels) == (("P", "Q"), 2)
    separator = keras.saving.load_model(files["Q"])
    for mixture, channels in _channels(separated, "Q").values():
        assert channels.shape == (2, len(mixture))
        np.testing.assert_allclose(channels.sum(0), mixture, atol=1.1 / 2**15)
        expected = whole = separator(mixture[None])[0].numpy()
        if window_seconds == 0.1:
            starts = window_starts(len(mixture), 1600)
            assert starts[:3] == [0, 800, min(1600, len(mixture) - 1600)]
            windows = [
                separator(mixture[None, start : start + 1600])[0].numpy()
                for start in starts
            ]
            expected = stitch(windows, starts, len(mixture))
            assert np.abs(expected - whole).max() > 10 / 2**15
        np.testing.assert_allclose(channels, expected, atol=0.6 / 2**15)


def test_windows_bound_the_memory():
    rng = np.random.default_rng(0)
    waveforms = [
        rng.normal(size=n).astype("f4") for n in (40, 333, 100, 101, 40)
    ]
    shapes = []

    def run(batch):
        shapes.append(batch.shape)
        parts = [np.maximum(batch, 0), np.minimum(batch, 0)]
        return tf.stack(parts, axis=1)

    separated = channel_writer._separate_batch(waveforms, run, 100, 3)
    for waveform, channels in zip(waveforms, separated, strict=True):
        parts = [np.maximum(waveform, 0), np.minimum(waveform, 0)]
        np.testing.assert_allclose(channels, parts, atol=1e-6)
    assert max(shape[0] for shape in shapes) == 3
    assert {shape[1] for shape in shapes} == {40, 100}
    # A batch of the two short clips, three of the 6 + 1 + 2 windows.
    assert len(shapes) == 1 + 3


def test_only_shards_whose_clips_changed_are_separated_again(
    files, tmp_path, monkeypatch, caplog
):
    caplog.set_level("INFO", logger="absl")
    clips = [noise_clips(1, n, seed=n)[0] for n in LENGTHS]
    source, out = tmp_path / "in", tmp_path / "out"

    def separate(labels=((0,), (1,), (0,), (1,), ()), names=("even", "odd")):
        info = write_shards(source, clips, labels=labels)
        info = dataclasses.replace(info, class_names=names)
        info.save()
        write_shard, made = channel_writer._write_shard, []

        def spy(task, *args):
            made.append(task.shard)
            return write_shard(task, *args)

        with monkeypatch.context() as patched:
            patched.setattr(channel_writer, "_write_shard", spy)
            separated = channel_writer.separate(info, files, out, CONFIG)
        labels = {
            clip: separated.class_names[label]
            for clip, label in _labels(separated).items()
        }
        return made, labels, separated.summary["clips_per_class"]["train"]

    made, labels, counts = separate()
    assert made == ["train-0.tfrecord", "train-1.tfrecord"]
    assert labels["clip0"] == "even" and counts == {"even": 2, "odd": 2}
    assert separate()[0] == []
    # Clips 0 and 2 are of the first shard; sizes stay.
    made, labels, counts = separate(labels=((1,), (1,), (0,), (1,), ()))
    assert made == ["train-0.tfrecord"]
    assert labels["clip0"] == "odd" and counts == {"even": 1, "odd": 3}
    assert "(train-0.tfrecord)" in caplog.text
    # A class that is renamed, to a name that comes first.
    made, labels, counts = separate(
        labels=((0,), (0,), (1,), (0,), ()), names=("an odd one", "even")
    )
    assert len(made) == 2 and labels["clip0"] == "an odd one"
    assert counts == {"an odd one": 3, "even": 1}
    # A sound of the same length.
    clips[1] = clips[1][::-1].copy()
    before = _bytes(out)
    assert separate()[0] == ["train-0.tfrecord", "train-1.tfrecord"]
    moved = tmp_path / "moved"
    source.rename(moved)
    info = DatasetInfo.load(f"{moved}/")
    after = _bytes(out)
    assert channel_writer.separate(info, files, out, CONFIG)
    assert _bytes(out) == after != before


def test_precision_is_that_of_the_flag(info, files, tmp_path):
    exact = _load(files["P"], "float32")
    coarse = _load(files["P"], "mixed_bfloat16")
    assert coarse.tdcn.compute_dtype == "bfloat16"
    mixture = noise_clips(1, 3000)[0][None]
    fine, rough = exact(mixture)[0].numpy(), coarse(mixture)[0].numpy()
    assert rough.dtype == np.float32
    np.testing.assert_allclose(rough.sum(0), mixture[0], atol=1e-5)
    error = np.abs(fine - rough).max() / np.abs(fine).max()
    assert 1e-6 < error < 0.05
    # One saved in reduced precision is used in full, where that is asked for.
    coarse.save(tmp_path / "C.keras")
    again = _load(tmp_path / "C.keras", "float32")
    np.testing.assert_array_equal(again(mixture)[0], fine)
    # Shards of another precision are made again.
    out = tmp_path / "out"
    channel_writer.separate(info, files, out, CONFIG)
    before = _bytes(out)["train-0.tfrecord"]
    config = dataclasses.replace(CONFIG, precision="mixed_bfloat16")
    channel_writer.separate(info, files, out, config)
    assert _bytes(out)["train-0.tfrecord"] != before


def test_wrong_flags_are_refused(info, files):
    with pytest.raises(UserError, match="is the folder of --shards"):
        channel_writer.separate(info, files, info.folder, CONFIG)
    with pytest.raises(ValueError, match="--window_seconds=0.05 is too short"):
        SeparateConfig(window_seconds=0.05)


def test_channels_beyond_full_scale_are_counted_and_told(
    info, files, tmp_path, caplog
):
    """Those of four times the mixture."""

    def run(_, waveforms):
        return tf.stack([4 * waveforms, -waveforms], axis=1)

    with mock.patch.object(channel_writer, "_run", run):
        separated = channel_writer.separate(
            info, {"P": files["P"]}, tmp_path / "out", CONFIG
        )
    mixtures = [mixture for mixture, _ in _channels(separated).values()]
    beyond = [int((np.abs(4 * mixture) > 1).sum()) for mixture in mixtures]
    expected = {"clips": sum(n > 0 for n in beyond), "samples": sum(beyond)}
    assert expected["samples"] > 0
    assert DatasetInfo.load(tmp_path / "out").summary["channels_clipped"] == (
        expected
    )
    told = f"{expected['clips']} clips have channels beyond full scale: "
    assert f"{told}{expected['samples']} samples" in caplog.text


def test_channels_that_fit_are_not_told_of(info, files, tmp_path, caplog):
    separated = channel_writer.separate(info, files, tmp_path / "out", CONFIG)
    none = {"clips": 0, "samples": 0}
    assert separated.summary["channels_clipped"] == none
    assert "full scale" not in caplog.text
