import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from data.audio import codec
from data.run import processor_files, run_directory
from data.run.errors import UserError
from data.shards import example_schema
from tests.agreement import largest_difference
from tests.golden.loading import load
from tests.models.separation import numpy_reference
from tests.train.loop.checkpoint_files import files_of, write_checkpoint
from tests.train.small_shards import noise_clips, write_shards
from train.import_separator import ImportConfig, import_separator
from train.separation import channel_writer
from train.separation.separate_config import SeparateConfig

SCRIPT = pathlib.Path(__file__).parents[3] / "train" / "import_separator.py"
BASES = ("learned", "stft")


@pytest.fixture(scope="module")
def prefixes(tmp_path_factory):
    """basis -> checkpoint with the stored variables of the reference."""
    folder = tmp_path_factory.mktemp("checkpoints")
    return {
        basis: write_checkpoint(
            folder / basis / "model.ckpt-777",
            load(f"separator_{basis}_checkpoint"),
        )
        for basis in BASES
    }


def _import(output, prefix, **flags):
    flags = {"num_dilations": 4, **flags}
    config = ImportConfig(checkpoint=str(prefix), output=str(output), **flags)
    return import_separator(config)


@pytest.mark.parametrize("basis", BASES)
def test_the_processor_gives_the_stored_channels(
    basis, prefixes, tmp_path, agrees
):
    run = tmp_path / "run"
    file = _import(run, prefixes[basis].parent)
    assert processor_files.find(run) == {"step777": file}
    assert run_directory.read(run)["stage"] == "import_separator"
    separator = keras.saving.load_model(file)
    signals = load(f"separator_{basis}_signals")
    channels = separator(signals["odd_mixture"][:, 0])
    difference = largest_difference(channels, signals["odd_separated"])
    part = f"TDCN++, {basis} basis: imported checkpoint"
    agrees(part, "sound-separation", difference, 2e-6)


def test_shards_are_separated_with_it(prefixes, tmp_path):
    file = _import(tmp_path / "run", prefixes["learned"], processor="S2")
    info = write_shards(tmp_path / "in", noise_clips(3, 1201))
    files = processor_files.find(tmp_path / "run", ("S2",))
    config = SeparateConfig(batch_size=2)
    separated = channel_writer.separate(info, files, tmp_path / "out", config)
    assert (separated.processors, separated.num_channels) == (("S2",), 4)
    separator = keras.saving.load_model(file)
    key = example_schema.channels_key("S2")
    for shard in separated.splits["train"]:
        records = tf.data.TFRecordDataset(str(separated.folder / shard.file))
        for record in records:
            clip = example_schema.parse(record, ("S2",), 4)
            mixture = codec.decode(clip[example_schema.AUDIO], "pcm16")
            channels = [codec.decode(c, "pcm16") for c in clip[key]]
            expected = separator(mixture[None])[0]
            np.testing.assert_allclose(channels, expected, atol=0.6 / 2**15)


@pytest.mark.parametrize("sources", [4, 8])
def test_bird_models_frame_by_55_samples_every_28(sources, tmp_path):
    arrays = numpy_reference.random_checkpoint(
        55, 11, sources, blocks=16, learned=True
    )
    prefix = write_checkpoint(tmp_path / "birds", arrays)
    file = _import(
        tmp_path / "run", prefix, num_dilations=8, sample_rate_hz=22050
    )
    assert file.stem == "reference"
    separator = keras.saving.load_model(file)
    assert separator.sample_rate_hz == 22050
    mixture = np.random.default_rng(2).normal(0, 0.1, (2, 5003))
    expected = numpy_reference.separate(arrays, mixture, 55, 28, 8)
    channels = separator(mixture.astype(np.float32))
    np.testing.assert_allclose(channels, expected, atol=2e-6)


def test_finished_work_is_kept(prefixes, tmp_path, capsys):
    prefix = write_checkpoint(
        tmp_path / "model.ckpt",
        numpy_reference.random_checkpoint(40, 11, 2, 4, learned=True),
    )
    run = tmp_path / "run"
    file = _import(run, prefix)
    before = file.stat().st_mtime_ns
    for part in files_of(prefix):
        part.unlink()
    assert _import(run, prefix) == file
    assert "nothing to do" in capsys.readouterr().out
    assert file.stat().st_mtime_ns == before
    with pytest.raises(UserError, match="--processor=, now it is S2"):
        _import(run, prefix, processor="S2")


def _missing(folder):
    return folder / "m.ckpt"


def _foreign(folder):
    checkpoint = tf.train.Checkpoint(v=tf.Variable([1.0, 2.0]))
    return pathlib.Path(checkpoint.write(str(folder / "other")))


def _cut(folder):
    prefix = write_checkpoint(
        folder / "cut", load("separator_learned_checkpoint")
    )
    data = files_of(prefix)[1]
    data.write_bytes(data.read_bytes()[:200_000])
    return prefix


def _reshaped(folder):
    arrays = load("separator_learned_checkpoint")
    name = "improved_tdcn/conv_block_3/tdcn_block/dense1/dense/kernel"
    arrays[name] = arrays[name][:, :60]
    return write_checkpoint(folder / "reshaped", arrays)


@pytest.mark.parametrize(
    "make,flags,message",
    [
        (_missing, {}, "m.ckpt.index does not exist"),
        (_foreign, {}, "other: .*sound-separation TDCN"),
        (_cut, {}, "cut cannot be read.*cut short"),
        (
            _reshaped,
            {},
            r"conv_block_3/tdcn_block/dense1/dense/kernel: .*\(32, 64\), the "
            r"checkpoint shape \(32, 60\)",
        ),
        ("learned", {"num_dilations": 3}, "num_dilations=3 for 8 blocks"),
        (
            "learned",
            {"sample_rate_hz": 22050},
            "conv_encoder/dense/kernel has 40 .*give 55",
        ),
        ("learned", {"consistency": "magsq"}, "mix_weights.*is in the"),
        ("stft", {"window_s": 0.064}, "has 257 bins.*window_s=0.064 give 513"),
    ],
)
def test_mistakes_are_told_and_leave_nothing(
    make, flags, message, prefixes, tmp_path
):
    prefix = prefixes[make] if make in BASES else make(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        _import(tmp_path / "run", prefix, **flags)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_the_command_describes_what_it_made(prefixes, tmp_path):
    (tmp_path / "downloaded").symlink_to(prefixes["stft"].parent)
    done = subprocess.run(
        [
            sys.executable,
            str(SCRIPT),
            "--checkpoint=downloaded",
            "--output=run",
            "--num_dilations=4",
        ],
        cwd=tmp_path,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    described, file = done.stdout.splitlines()
    assert described == (
        "TDCN++, stft basis: 4 channels at 16000 Hz, 76163 parameters, "
        "windows of 512 samples every 128, predicted consistency"
    )
    assert (tmp_path / file).exists()
    record = json.loads((tmp_path / "run" / "config.json").read_text())
    assert record["config"]["checkpoint"] == "downloaded"
    assert record["versions"]["tensorflow"] == tf.__version__
