import numpy as np
import pytest
import tensorflow as tf

from tests.train.contrastive.small_learner import make_batch, make_learner
from train.contrastive.view_pipeline import VIEWS
from train.loop.optimizers import make_optimizer


def _batch(learner, seed, sample=0.1):
    batch = make_batch(learner, 4, seed)
    # Of another loudness each, so that the statistics tell them apart.
    views = seed * batch[VIEWS].numpy()
    views[-1, 0, 1000] = sample
    return batch | {VIEWS: tf.constant(views)}


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
    learner = make_learner(warmup_steps=2, **flags)
    learner.optimizer = make_optimizer(learner.config, learner)
    step = tf.function(learner.train_step, jit_compile=False, autograph=False)
    variables = {v.path: v for v in learner.variables}
    variables |= {v.path: v for v in learner.optimizer.variables}
    assert float(step(_batch(learner, 1))["skipped"]) == 0
    before = {name: np.array(v) for name, v in variables.items()}
    for value in (np.nan, np.inf):
        scalars = step(_batch(learner, 3, value))
        assert float(scalars["skipped"]) == 1
        assert np.isfinite([float(value) for value in scalars.values()]).all()
        for name, expected in before.items():
            assert np.isfinite(expected).all(), name
            np.testing.assert_array_equal(
                variables[name], expected, err_msg=name
            )
    # A good one leaves its traces in the statistics.
    assert float(step(_batch(learner, 2))["skipped"]) == 0
    statistics = [name for name in before if "moving" in name]
    assert len(statistics) == 10
    for name in statistics:
        assert np.any(np.array(variables[name]) != before[name]), name
