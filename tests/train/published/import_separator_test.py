import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from data.run import processor_files, run_directory
from data.run.errors import UserError
from tests.agreement import largest_difference
from tests.golden.loading import load
from tests.train.loop.checkpoint_files import (
    files_of,
    random_checkpoint,
    write_checkpoint,
)
from train.import_separator import ImportConfig, import_separator

SIZES = {
    "learned": "96481 parameters, windows of 40 samples every 20",
    "stft": "76163 parameters, windows of 512 samples every 128",
}


@pytest.fixture(scope="module")
def prefixes(tmp_path_factory):
    """basis -> checkpoint with the stored variables of the reference."""
    folder = tmp_path_factory.mktemp("checkpoints")
    return {
        basis: write_checkpoint(
            folder / basis / "model.ckpt-777",
            load(f"separator_{basis}_checkpoint"),
        )
        for basis in SIZES
    }


def _import(output, prefix, **flags):
    flags = {"num_dilations": 4, **flags}
    config = ImportConfig(checkpoint=str(prefix), output=str(output), **flags)
    return import_separator(config)


@pytest.mark.parametrize("basis", SIZES)
def test_the_processor_gives_the_stored_channels(
    basis, prefixes, tmp_path, agrees, capsys
):
    run = tmp_path / "run"
    file = _import(run, prefixes[basis].parent)
    assert capsys.readouterr().out.splitlines() == [
        f"TDCN++, {basis} basis: 4 channels at 16000 Hz, {SIZES[basis]}, "
        "predicted consistency",
        str(file),
    ]
    assert processor_files.find(run) == {"step777": file}
    record = run_directory.read(run, "import_separator")
    assert record["config"]["checkpoint"] == str(prefixes[basis].parent)
    assert record["versions"]["tensorflow"] == tf.__version__
    separator = keras.saving.load_model(file)
    signals = load(f"separator_{basis}_signals")
    channels = separator(signals["odd_mixture"][:, 0])
    difference = largest_difference(channels, signals["odd_separated"])
    part = f"TDCN++, {basis} basis: imported checkpoint"
    agrees(part, "sound-separation", difference, 2e-6)


def test_bird_models_frame_by_55_samples_every_28(tmp_path, capsys):
    prefix = write_checkpoint(
        tmp_path / "birds", random_checkpoint(55, 11, 4, 16)
    )
    file = _import(
        tmp_path / "run", prefix, num_dilations=8, sample_rate_hz=22050
    )
    assert file.stem == "reference"
    separator = keras.saving.load_model(file)
    assert separator(np.zeros((2, 5003), "f4")).shape == (2, 4, 5003)
    told = capsys.readouterr().out
    assert "4 channels at 22050 Hz" in told
    assert "windows of 55 samples every 28" in told


def test_finished_work_is_kept(prefixes, tmp_path, capsys):
    prefix = write_checkpoint(
        tmp_path / "model.ckpt", random_checkpoint(40, 11, 2, 4)
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


def _foreign(folder):
    checkpoint = tf.train.Checkpoint(v=tf.Variable([1.0, 2.0]))
    return pathlib.Path(checkpoint.write(str(folder / "other")))


@pytest.mark.parametrize(
    "make,flags,message",
    [
        (_foreign, {}, "other: .*sound-separation TDCN"),
        ("learned", {"num_dilations": 3}, "num_dilations=3 for 8 blocks"),
    ],
)
def test_mistakes_are_told_and_leave_nothing(
    make, flags, message, prefixes, tmp_path
):
    prefix = prefixes[make] if make in SIZES else make(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        _import(tmp_path / "run", prefix, **flags)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "run").exists()
