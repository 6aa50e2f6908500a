"""One MixIT step at any length: shorter than a window, and silent."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.separation.separator import CONSISTENCIES, Separator
from train.separation_learner import SeparationLearner

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
    return SeparationLearner(separator, 30.0)


@pytest.mark.parametrize("consistency", CONSISTENCIES)
@pytest.mark.parametrize("basis", WINDOW)
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


@pytest.mark.parametrize("basis", WINDOW)
def test_training_on_one_sample_and_on_silence_goes_on(basis):
    learner = _learner(basis, "predicted")
    learner.optimizer = keras.optimizers.Adam(0.1)
    before = learner.separator.mask_head.kernel.numpy()
    half_window = np.random.default_rng(1).normal(
        size=(2, 2, WINDOW[basis] // 2)
    )
    for mixtures in (np.full((2, 2, 1), 0.3), np.zeros((2, 2, 5)), half_window):
        learner.train_step(tf.constant(mixtures, tf.float32))
    after = learner.separator.get_weights()
    assert all(np.isfinite(weight).all() for weight in after)
    moved = np.abs(learner.separator.mask_head.kernel - before)
    assert moved.max() > 0.01
