import numpy as np
import pytest
import tensorflow as tf

from models.embedding_model import EmbeddingModel
from models.views.triplet_positive import NUM_DRAWS
from train.contrastive.contrastive_config import ContrastiveConfig
from train.contrastive.learner import ContrastiveLearner
from train.contrastive.view_pipeline import AUGMENT, NOISE, POSITIVE, VIEWS
from train.loop.optimizers import make_optimizer


def _batch(seed, last_sample=0.1):
    rng = np.random.default_rng(seed)
    # Of another loudness each, so that the statistics tell them apart.
    views = rng.normal(0, 0.1 * seed, (4, 2, 15600))
    views[-1, 1, -1] = last_sample
    numbers = {
        VIEWS: views,
        AUGMENT: rng.uniform(size=(4, 2, 10)),
        POSITIVE: rng.uniform(size=(4, NUM_DRAWS)),
        NOISE: rng.normal(size=(4, 96, 64)),
    }
    return {name: tf.constant(x, tf.float32) for name, x in numbers.items()}


@pytest.mark.parametrize(
    "flags",
    [
        {"objective": "triplet", "optimizer": "adamw"},
        {"objective": "similarity", "batch_size": 4, "micro_batch_size": 2},
    ],
    ids=lambda flags: flags["objective"],
)
def test_a_batch_that_is_not_finite_leaves_no_trace(flags):
    """In weights, moving statistics and all of the optimizer."""
    config = ContrastiveConfig(
        comparison="mix_vs_mix",
        warmup_steps=2,
        learning_rate=1e-2,
        head_units=9,
        projection_dim=5,
        **flags,
    )
    model = EmbeddingModel(embedding_dim=7, width=0.0625, dropout=0.0)
    learner = ContrastiveLearner(model, config)
    learner.optimizer = make_optimizer(config, learner)
    step = tf.function(learner.train_step, jit_compile=False)
    variables = {v.path: v for v in learner.variables}
    variables |= {v.path: v for v in learner.optimizer.variables}
    assert float(step(_batch(1))["skipped"]) == 0
    before = {name: np.array(v) for name, v in variables.items()}
    for value in (np.nan, np.inf):
        scalars = step(_batch(3, value))
        assert float(scalars["skipped"]) == 1
        assert np.isfinite([float(value) for value in scalars.values()]).all()
        for name, expected in before.items():
            assert np.isfinite(expected).all(), name
            np.testing.assert_array_equal(
                variables[name], expected, err_msg=name
            )
    # A good one leaves its traces in the statistics.
    assert float(step(_batch(2))["skipped"]) == 0
    statistics = [name for name in before if "moving" in name]
    assert len(statistics) > 10
    for name in statistics:
        assert np.any(np.array(variables[name]) != before[name]), name
