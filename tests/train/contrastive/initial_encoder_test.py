import dataclasses
import shutil
from unittest import mock

import keras
import numpy as np
import pytest

from data.run import run_directory
from data.run.errors import UserError
from models.cnn14 import cnn14
from tests.evaluate.toy_import import write_toy_import
from tests.train.contrastive import pretraining_test
from tests.train.small_shards import noise_clips, write_shards
from train.contrastive import pretraining

CONFIG = dataclasses.replace(
    pretraining_test.CONFIG,
    steps=0,
    comparison="mix_vs_mix",
    objective="similarity",
    warmup_steps=0,
    learning_rate=0.01,
)


@pytest.fixture(scope="module", autouse=True)
def two_blocks():
    """More are of the same layers, and take longer."""
    with mock.patch.object(cnn14, "NUM_BLOCKS", 2):
        yield


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    return write_shards(folder, noise_clips(4, 16000))


@pytest.fixture(scope="module")
def initial(tmp_path_factory, shards):
    """A run of pretraining with weights none of which is as at a start."""
    folder = tmp_path_factory.mktemp("initial")
    model = _pretrain(shards, folder)
    rng = np.random.default_rng(7)
    for variable in model.weights:
        change = rng.uniform(0.5, 1.5, variable.shape)
        variable.assign(change * variable + 0.1 * change)
    model.save(folder / "embedding_model.keras")
    return folder


def _pretrain(info, folder, **changes):
    config = dataclasses.replace(
        CONFIG, shards=str(info.folder), output=str(folder), **changes
    )
    run_directory.start(str(folder), "pretrain_contrastive", config)
    return keras.saving.load_model(pretraining.pretrain(config, info, folder))


def _assert_equal(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_starts_with_every_weight_of_the_other_run(shards, initial, tmp_path):
    theirs = keras.saving.load_model(initial / "embedding_model.keras")
    ours = _pretrain(shards, tmp_path, initial_encoder=str(initial))
    _assert_equal(ours.get_weights(), theirs.get_weights())
    fresh = _pretrain(shards, tmp_path / "fresh").get_weights()
    assert not np.array_equal(fresh[0], theirs.get_weights()[0])


def test_bottleneck_of_another_size_stays_fresh(
    shards, initial, tmp_path, caplog
):
    caplog.set_level("INFO", logger="absl")
    theirs = keras.saving.load_model(initial / "embedding_model.keras")
    ours = _pretrain(
        shards, tmp_path, initial_encoder=str(initial), embedding_dim=3
    )
    assert "not the bottleneck, which is 5 there and 3 here" in caplog.text
    assert ours.encoder.bottleneck.kernel.shape == (8, 3)
    _assert_equal(ours.get_weights()[:-2], theirs.get_weights()[:-2])


def test_goes_on_from_an_imported_encoder(shards, tmp_path, monkeypatch):
    monkeypatch.setattr(cnn14, "NUM_BLOCKS", 6)
    run = write_toy_import(tmp_path / "panns")
    theirs = keras.saving.load_model(run / "embedding_model.keras").encoder
    ours = _pretrain(
        shards,
        tmp_path / "start",
        initial_encoder=str(run),
        frontend="panns",
        hidden_layer=True,
    )
    assert ours.embedding_dim == 5
    assert ours.window_samples == 95 * 160
    _assert_equal(ours.encoder.get_weights()[:-2], theirs.get_weights())


def test_a_resumed_run_keeps_its_own_weights(shards, initial, tmp_path):
    other = shutil.copytree(initial, tmp_path / "other")
    flags = {"initial_encoder": str(other), "steps": 1}
    trained = _pretrain(shards, tmp_path / "run", **flags).get_weights()
    initial = keras.saving.load_model(other / "embedding_model.keras")
    assert not np.array_equal(trained[0], initial.get_weights()[0])
    # Gone, so that to load it again would fail.
    shutil.rmtree(other)
    again = _pretrain(shards, tmp_path / "run", **flags).get_weights()
    _assert_equal(again, trained)


@pytest.mark.parametrize(
    "rate_hz, changes, told",
    [
        (16000, {"width": 0.125}, "--width=0.0625, this run has --width=0.125"),
        (22050, {}, "--sample_rate_hz=16000, --shards has .*_hz=22050"),
    ],
)
def test_another_network_is_told(
    shards, initial, tmp_path, rate_hz, changes, told
):
    info = dataclasses.replace(shards, sample_rate_hz=rate_hz)
    with pytest.raises(UserError, match=f"--initial_encoder=.*{told}"):
        _pretrain(info, tmp_path, initial_encoder=str(initial), **changes)


def test_a_run_without_an_encoder_is_told(shards, tmp_path):
    with pytest.raises(UserError, match="nowhere does not exist"):
        _pretrain(
            shards, tmp_path / "a", initial_encoder=str(tmp_path / "nowhere")
        )
