"""One MixIT step at any length: shorter than a window, and silent."""

import numpy as np
import pytest
import tensorflow as tf

from models.separation.mixture_consistency import KINDS
from models.separation.separator import Separator
from train.separation.learner import SeparationLearner
from train.separation.separation_config import SeparationConfig

WINDOW = {"learned": 40, "stft": 512}


def _learner(basis, consistency):
    separator = Separator(
        3,
        basis=basis,
        num_coefficients=11,
        bottleneck=5,
        conv_channels=7,
        num_dilations=2,
        num_repeats=1,
        consistency=consistency,
    )
    rng = np.random.default_rng(0)
    for variable in separator.variables:
        noise = 0.3 * rng.normal(size=variable.shape)
        variable.assign(variable.numpy() + noise)
    return SeparationLearner(separator, SeparationConfig())


@pytest.mark.parametrize(
    "basis, consistency",
    [
        ("learned", "predicted"),
        ("stft", "predicted"),
        *(
            pytest.param("learned", kind, marks=pytest.mark.long)
            for kind in KINDS
        ),
    ],
)
def test_a_step_at_any_length_has_a_finite_gradient(basis, consistency):
    learner = _learner(basis, consistency)
    weights = [v.value for v in learner.trainable_variables]
    window = WINDOW[basis]

    for samples in (1, 5, window - 1, window + 1):
        noise = np.random.default_rng(samples).normal(0, 0.1, (3, 2, samples))
        noise[1, 0] = noise[2] = 0.0  # One mixture silent, and both.
        mixtures = tf.constant(noise, tf.float32)
        total = tf.reduce_sum(mixtures, axis=1)
        channels = learner.separator(total)
        assert channels.shape == (3, 3, samples)
        if consistency != "none":
            np.testing.assert_allclose(
                np.sum(channels, axis=1), total, atol=1e-6
            )
        with tf.GradientTape() as tape:
            tape.watch(mixtures)
            loss = learner.compute_losses(mixtures, training=True)["loss"]
        assert np.isfinite(loss)
        for gradient in tape.gradient(loss, [mixtures, *weights]):
            assert np.isfinite(gradient).all(), samples


class _Given:
    """Stands for a separator: channels that do not depend on the sum."""

    def __init__(self, channels):
        self.channels = tf.constant(channels, tf.float32)

    def __call__(self, total, training):
        return self.channels


def _diagnostics(mixtures, channels):
    learner = _learner("learned", "none")
    learner.separator = _Given(channels)
    mixtures = tf.constant(mixtures, tf.float32)
    figures = tf.function(learner.diagnostics)(mixtures)
    return [
        float(figures[name])
        for name in ("channel_activity", "si_sdr_improvement_db")
    ]


def _example(seed):
    """Two mixtures of equal energy at right angles, and 3 channels.

    The first mixture is in two of them, with a tenth of the second in one:
    20 dB each, where the sum has 0 dB.
    """
    rng = np.random.default_rng(seed)
    first, second = np.linalg.qr(rng.normal(size=(700, 2)))[0].T
    channels = [0.25 * first, 0.75 * first + 0.1 * second, second + 0.1 * first]
    return [first, second], channels


def test_diagnostics_of_hand_worked_channels():
    """Examples with nothing to compare are left out."""
    mixtures, channels = map(
        np.array, zip(*map(_example, range(5)), strict=True)
    )
    channels[0, 1] += channels[0, 0]
    channels[0, 0] = 0  # An empty channel alone does not matter.
    mixtures[1, 1] = 0  # A silent mixture does,
    mixtures[2] = 0  # or two;
    mixtures[3, 1] = mixtures[3, 0]  # or all channels in the other one.
    channels[3] = [mixtures[3, 0], 0 * mixtures[3, 0], 0 * mixtures[3, 0]]
    activity, improvement_db = _diagnostics(mixtures, channels)
    assert activity == pytest.approx((2 + 3 + 0 + 1 + 3) / 15)
    assert improvement_db == pytest.approx(20, abs=0.01)
    # Nothing is known where all are.
    _, improvement_db = _diagnostics(mixtures[1:4], channels[1:4])
    assert np.isnan(improvement_db)
