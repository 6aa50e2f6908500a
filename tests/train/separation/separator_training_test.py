import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from data.run import processor_files, run_directory
from data.shards.record_index import RecordIndex
from models.losses.mixit import mixit_loss
from models.separation.separator import Separator
from tests.train.small_shards import RATE_HZ, noise_clips, write_shards
from train.loop.optimizers import FusedAdam
from train.separation import quality, separator_training
from train.separation.finished import is_finished
from train.separation.learner import SeparationLearner
from train.separation.mixture_pipeline import batches_of_pairs
from train.separation.separation_config import SeparationConfig

SMALL = {
    "basis": "stft",
    "bottleneck": 8,
    "conv_channels": 12,
    "num_dilations": 2,
    "num_repeats": 1,
}
CONFIG = SeparationConfig(
    steps=4,
    keep_steps=("N=0", "mid=2", "4"),
    batch_size=2,
    crop_seconds=0.25,
    learning_rate=1e-2,
    checkpoint_every=2,
    eval_splits=("train",),
    **SMALL,
)


def _tones(count, samples=8000):
    """Clips of a low and a high tone: stems (2, T), easy to tell apart."""
    rng = np.random.default_rng(0)
    time = np.arange(samples) / RATE_HZ
    stems = []
    for _ in range(count):
        pitch = [rng.uniform(200, 800), rng.uniform(3000, 6000)]
        stems.append(
            np.stack([0.3 * np.sin(2 * np.pi * p * time) for p in pitch])
        )
    return stems


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Shards and folder of a finished run."""
    stems = _tones(6)
    info = write_shards(
        tmp_path_factory.mktemp("shards"),
        [s.sum(axis=0) for s in stems],
        stems=stems,
    )
    folder = run_directory.start(
        str(tmp_path_factory.mktemp("run")), processor_files.STAGE, CONFIG
    )
    separator_training.train_separator(CONFIG, info, folder)
    return info, folder


def test_named_steps_are_kept_as_processors(run):
    files = processor_files.find(str(run[1]))
    assert set(files) == {"N", "mid", "step4"}
    x = np.random.default_rng(1).normal(size=(2, 3000)).astype("f4")
    outputs = {n: keras.saving.load_model(f)(x) for n, f in files.items()}
    # They differ, and each splits the mixture.
    assert np.abs(outputs["N"] - outputs["mid"]).max() > 1e-4
    assert np.abs(outputs["mid"] - outputs["step4"]).max() > 1e-4
    for output in outputs.values():
        np.testing.assert_allclose(np.sum(output, axis=1), x, atol=1e-5)
    # Step 0 is the untrained network.
    keras.utils.set_random_seed(CONFIG.seed)
    np.testing.assert_array_equal(outputs["N"], Separator(**SMALL)(x))


def test_measure_scores_every_processor(run):
    info, folder = run
    assert not is_finished(CONFIG, info, folder)
    quality.measure(CONFIG, info, folder)
    assert is_finished(CONFIG, info, folder)
    assert not is_finished(dataclasses.replace(CONFIG, steps=5), info, folder)
    record = json.loads((folder / "metrics.json").read_text())
    assert [r["processor"] for r in record["results"]] == ["N", "mid", "step4"]
    assert [r["step"] for r in record["results"]] == [0, 2, 4]
    for row in record["results"]:
        assert np.isfinite(row["si_sdr_improvement_mixit_db"])
        assert np.isfinite(row["si_sdr_improvement_oracle_db"])


def test_without_stems_nothing_is_measured(tmp_path):
    info = write_shards(tmp_path, noise_clips(2, 400))
    quality.measure(CONFIG, info, tmp_path)
    assert not (tmp_path / "metrics.json").exists()


def test_training_separates_tones(tmp_path):
    # Mixtures of one tone each: MixIT becomes supervised separation.
    stems = [stem for pair in _tones(8) for stem in pair]
    info = write_shards(tmp_path, stems)
    keras.utils.set_random_seed(1)
    learner = SeparationLearner(Separator(**SMALL), SeparationConfig())
    learner.optimizer = FusedAdam(1e-2)
    # Else the step is traced twice, the first time to make its variables.
    learner.optimizer.build(learner.trainable_variables)
    step = tf.function(learner.train_step)
    index = RecordIndex.of(info, ("train",))
    batches = batches_of_pairs(index, 4000, 4, 1)
    losses = [float(step(batch)["loss"]) for batch, _ in batches.take(60)]
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 3


def test_many_sources_are_assigned_by_least_squares():
    config = SeparationConfig(
        num_sources=17, mixit_search="least_squares", max_snr_db=20.0
    )
    separator = Separator(config.num_sources, **SMALL)
    mixtures = np.stack(_tones(3))[:, :, :900].astype("f4")
    scalars = SeparationLearner(separator, config).compute_losses(
        mixtures, training=True
    )
    losses, _ = mixit_loss(
        mixtures, separator(mixtures.sum(axis=1)), 20.0, "least_squares"
    )
    assert float(scalars["loss"]) == pytest.approx(np.mean(losses), abs=1e-4)
