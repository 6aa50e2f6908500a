import dataclasses
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from data.run import processor_files, run_directory
from data.run.errors import UserError
from models.separation.separator import Separator
from tests.readme_commands import ROOT
from tests.train.small_shards import noise_clips, write_shards
from train.contrastive import inputs, pretraining
from train.contrastive.contrastive_config import ContrastiveConfig
from train.contrastive.learner import ContrastiveLearner
from train.contrastive.view_pipeline import AUGMENT, NOISE, POSITIVE, VIEWS
from train.separation.separation_config import SeparationConfig

CONFIG = ContrastiveConfig(
    steps=3,
    warmup_steps=0,
    batch_size=2,
    width=0.0625,
    embedding_dim=5,
    head_units=6,
    projection_dim=4,
    clip_seconds=1.0,
    checkpoint_every=2,
    examples_every=0,
    tensorboard=False,
)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    clips = noise_clips(4, 16000)
    halves = [np.stack([0.5 * clip, 0.5 * clip]) for clip in clips]
    folder = tmp_path_factory.mktemp("shards")
    return write_shards(folder, clips, {"P": halves, "Q": halves})


def test_inputs_are_sound_and_networks_not_labels_nor_paths(tmp_path):
    clips = noise_clips(3, 3000)

    def digests(name="in", labels=None, sound=clips, **options):
        info = write_shards(tmp_path / name, sound, labels=labels)
        config = ContrastiveConfig(shards=str(info.folder), **options)
        return inputs.digests(config, info)

    first = digests()
    assert first.keys() == {"shards"}
    assert digests("moved") == first
    assert digests(labels=((1,), (), (0, 1))) == first
    assert digests(sound=[*clips[1:], clips[0]]) != first
    folder = tmp_path / "separator" / "processors"
    folder.mkdir(parents=True)
    record = {"stage": processor_files.STAGE, "config": {}}
    (folder.parent / "config.json").write_text(json.dumps(record))
    (folder / "N.keras").write_bytes(b"weights")
    separator = {"separator": str(folder.parent), "comparison": "mix_vs_chan"}
    second = digests(**separator)
    assert second.keys() == {"shards", "separator"}
    (folder / "N.keras").write_bytes(b"others")
    assert digests(**separator)["separator"] != second["separator"]


def _pretrain(info, folder, **changes):
    config = dataclasses.replace(
        CONFIG, shards=str(info.folder), output=str(folder), **changes
    )
    folder.mkdir(exist_ok=True)
    return keras.saving.load_model(pretraining.pretrain(config, info, folder))


@pytest.fixture(scope="module")
def finished(shards, tmp_path_factory):
    """Folder of a run with CONFIG, and its model."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, _pretrain(shards, folder)


def test_a_run_trains_the_model_that_it_saves(finished):
    _, model = finished
    assert model.embedding_dim == 5
    _assert_trained(model)


def _assert_trained(model):
    assert np.isfinite(model(np.ones((1, 20000), "f4"))).all()
    # The front end's statistics moved.
    assert np.abs(model.encoder.bn0.moving_mean).max() > 0.01


def test_options_train_a_model_that_loads(shallow, shards, tmp_path):
    model = _pretrain(
        shards,
        tmp_path,
        comparison="chan_vs_chan",
        objective="coincidence",
        precision="mixed_float16",
        processors=("Q",),
        hidden_layer=True,
        tp_max_offset=0.01,
        spec_augment=False,
    )
    _assert_trained(model)


def test_triplets_train_in_one_trace(shallow, shards, tmp_path, monkeypatch):
    traces = []
    train_step = ContrastiveLearner.train_step

    def counted(self, batch):
        traces.append({name: x.shape for name, x in batch.items()})
        return train_step(self, batch)

    monkeypatch.setattr(ContrastiveLearner, "train_step", counted)
    model = _pretrain(
        shards,
        tmp_path,
        comparison="mix_vs_mix",
        objective="triplet",
        precision="mixed_bfloat16",
        time_masks=3,
    )
    _assert_trained(model)
    # Three steps of static shapes.
    assert traces == [
        {
            VIEWS: (2, 2, 15600),
            AUGMENT: (2, 2, 12),
            POSITIVE: (2, 4),
            NOISE: (2, 96, 64),
        }
    ]


def test_the_seed_gives_the_weights_at_the_start(shallow, shards, tmp_path):
    """And those at the end: see kill_training_test.py."""
    first, same, other = (
        _pretrain(shards, tmp_path / str(k), seed=seed, steps=0).get_weights()
        for k, seed in enumerate((0, 0, 2))
    )
    for a, b in zip(first, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[-2], other[-2])  # The bottleneck.


def test_a_finished_run_is_told_without_tensorflow(shards, finished, tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('imported')")

    def call(steps):
        script = ROOT / "train" / "pretrain_contrastive.py"
        return subprocess.run(
            [
                sys.executable,
                script,
                f"--shards={shards.folder}",
                f"--output={finished[0]}",
                f"--steps={steps}",
                "--warmup_steps=0",
            ],
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
        )

    done = call(3)
    assert done.returncode == 0 and "nothing to do" in done.stderr
    assert done.stdout.strip().endswith("embedding_model.keras")
    assert "imported" in call(4).stderr


def _separation_run(folder, sample_rate_hz=16000):
    config = SeparationConfig(steps=0, keep_steps=("N=0",))
    run_directory.start(str(folder), processor_files.STAGE, config)
    separator = Separator(
        sample_rate_hz=sample_rate_hz,
        basis="stft",
        bottleneck=4,
        conv_channels=4,
        num_dilations=1,
        num_repeats=1,
    )
    path = processor_files.processor_path(folder, "N")
    path.parent.mkdir()
    separator.save(path)
    return str(folder)


def test_separates_on_the_fly(shallow, shards, tmp_path):
    separator = _separation_run(tmp_path / "sep")
    model = _pretrain(
        shards,
        tmp_path / "run",
        separator=separator,
        examples_every=100,
        tensorboard=True,
    )
    _assert_trained(model)


def test_wrong_inputs_are_told(shards, tmp_path):
    with pytest.raises(UserError, match=r"no channels of Z \(it has P, Q\)"):
        _pretrain(shards, tmp_path / "a", processors=("P", "Z"))
    plain = write_shards(tmp_path / "plain", noise_clips(2, 8000))
    with pytest.raises(UserError, match=r"any processor \(it has none\)"):
        _pretrain(plain, tmp_path / "b")
    with pytest.raises(UserError, match="no split 'val': it has train"):
        _pretrain(shards, tmp_path / "c", splits=("val",))
    with pytest.raises(UserError, match="width=0.001"):
        _pretrain(shards, tmp_path / "d", width=0.001)
    separator = _separation_run(tmp_path / "sep", sample_rate_hz=8000)
    with pytest.raises(UserError, match="is for 8000 Hz.*has 16000 Hz"):
        _pretrain(shards, tmp_path / "e", separator=separator)
