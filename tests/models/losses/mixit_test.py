"""MixIT against stored values, and against all mixed waveforms."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from models.losses.capped_snr import capped_snr_loss
from models.losses.mixit import mixit_loss

GOLDEN = Path(__file__).parents[2] / "golden"


def _brute_force(mixtures, estimates, max_snr_db=30.0):
    """Mixes every assignment, float64, one example: (errors, losses)."""
    mixtures = mixtures.astype(np.float64)
    estimates = estimates.astype(np.float64)
    floor = 10 ** (-max_snr_db / 10) * np.sum(mixtures**2, axis=-1) + 1e-8
    errors = []
    for owner in itertools.product((0, 1), repeat=len(estimates)):
        matrix = np.equal.outer((0, 1), owner).astype(np.float64)
        residual = mixtures - matrix @ estimates
        errors.append(np.sum(residual**2, axis=-1))
    errors = np.stack(errors)
    return errors, np.mean(10 * np.log10(errors + floor), axis=-1)


def _assignment_number(mix_matrix):
    digits = np.asarray(mix_matrix)[1].astype(int)
    return int("".join(map(str, digits)), 2)


@pytest.mark.parametrize("num_estimates", [4, 8])
def test_equals_the_reference(num_estimates):
    golden = np.load(GOLDEN / f"mixit_m{num_estimates}.npz")
    estimates = tf.constant(golden["estimates"])
    with tf.GradientTape() as tape:
        tape.watch(estimates)
        loss, mix_matrix = mixit_loss(golden["references"], estimates)
        mean = tf.reduce_mean(loss)
    np.testing.assert_allclose(loss, golden["loss"], atol=1e-4)
    # Ties included: they go to the first assignment here and there.
    np.testing.assert_array_equal(mix_matrix, golden["mix_matrix"])
    if num_estimates == 4:
        stored = golden["grad_mean_loss_wrt_estimates"]
        gradient = tape.gradient(mean, estimates)
        for ours, theirs in zip(gradient, stored, strict=True):
            error = np.linalg.norm(ours - theirs)
            assert error < 1e-5 * np.linalg.norm(theirs)


@pytest.mark.parametrize("num_estimates", [2, 3, 4, 5])
def test_equals_mixing_every_assignment(num_estimates):
    """250 integer examples a size; integers make equal errors truly equal."""
    rng = np.random.default_rng(num_estimates)
    size = (250, num_estimates, 6)
    estimates = rng.integers(-3, 4, size).astype(np.float32)
    mixtures = rng.integers(-4, 5, (250, 2, 6)).astype(np.float32)
    estimates[:50, -1] = 0.0  # silent channel
    estimates[50:100, 0] = estimates[50:100, 1]  # same channel twice
    mixtures[100:120, 0] = 0.0  # silent mixture
    mixtures[120:125] = 0.0
    mixtures[125:200, 0] = estimates[125:200, 0]  # exact splits
    mixtures[125:200, 1] = estimates[125:200, 1:].sum(axis=1)
    loss, mix_matrix = mixit_loss(mixtures, estimates)
    compared, ties = 0, 0
    for i in range(250):
        errors, losses = _brute_force(mixtures[i], estimates[i])
        best = int(np.argmin(losses))
        assert float(loss[i]) == pytest.approx(losses[best], abs=1e-4)
        same = np.all(errors == errors[best], axis=1)
        close = losses < losses[best] + 1e-3
        # Near ties with other errors are decided by rounding.
        if np.all(same[close]):
            first = int(np.flatnonzero(same)[0])
            assert _assignment_number(mix_matrix[i]) == first
            compared += 1
            ties += int(same.sum() > 1)
    assert compared > 230
    assert ties > 50
    np.testing.assert_array_equal(np.sum(mix_matrix, axis=1), 1.0)


def test_order_of_channels_does_not_matter():
    rng = np.random.default_rng(0)
    mixtures = rng.normal(size=(3, 2, 101)).astype(np.float32)
    estimates = rng.normal(size=(3, 5, 101)).astype(np.float32)
    order = [3, 0, 4, 2, 1]
    loss, mix_matrix = mixit_loss(mixtures, estimates)
    other_loss, other_matrix = mixit_loss(mixtures, estimates[:, order])
    np.testing.assert_allclose(loss, other_loss, atol=1e-5)
    np.testing.assert_array_equal(
        np.asarray(mix_matrix)[:, :, order], other_matrix
    )


def test_exact_split_reaches_the_cap():
    """Energies 4 and 400: mean of 10 log10(0.004) and 10 log10(0.4)."""
    mixtures = np.stack([np.ones(4), 10 * np.ones(4)])[None]
    loss, mix_matrix = mixit_loss(mixtures, mixtures[:, ::-1])
    expected = 10 * (np.log10(0.004) + np.log10(0.4)) / 2
    np.testing.assert_allclose(loss, [expected], atol=1e-4)
    np.testing.assert_array_equal(mix_matrix[0], [[0, 1], [1, 0]])


@pytest.mark.parametrize("max_snr_db", [10.0, 30.0])
def test_graph_of_unknown_length_and_other_caps(max_snr_db):
    rng = np.random.default_rng(0)
    mixtures = rng.normal(size=(3, 2, 101)).astype(np.float32)
    estimates = rng.normal(size=(3, 4, 101)).astype(np.float32)
    graph = tf.function(
        lambda m, e: mixit_loss(m, e, max_snr_db),
        input_signature=[
            tf.TensorSpec([None, 2, None]),
            tf.TensorSpec([None, 4, None]),
        ],
    )
    loss, _ = graph(mixtures, estimates)
    for i in range(3):
        _, losses = _brute_force(mixtures[i], estimates[i], max_snr_db)
        assert float(loss[i]) == pytest.approx(losses.min(), abs=1e-4)


def test_precision_is_float32_or_better():
    signals = np.ones((1, 2, 5))
    half = tf.cast(signals, tf.bfloat16)
    assert mixit_loss(half, half)[0].dtype == tf.float32
    assert mixit_loss(signals, half)[0].dtype == tf.float64


def test_silence_is_finite_and_has_a_zero_gradient():
    mixtures, estimates = tf.zeros([2, 2, 50]), tf.zeros([2, 3, 50])
    with tf.GradientTape() as tape:
        tape.watch(estimates)
        loss, mix_matrix = mixit_loss(mixtures, estimates)
    np.testing.assert_allclose(loss, -80.0, atol=1e-4)
    np.testing.assert_array_equal(mix_matrix[0], [[1, 1, 1], [0, 0, 0]])
    np.testing.assert_array_equal(tape.gradient(loss, estimates), 0.0)


def test_capped_snr_by_hand():
    """Error 1, reference 100: 10 log10(1 + 0.1) at a cap of 30 dB."""
    loss = capped_snr_loss(np.float32([[10.0, 0.0]]), np.float32([[10.0, 1.0]]))
    np.testing.assert_allclose(loss, [10 * np.log10(1.1)], atol=1e-5)


@pytest.mark.parametrize(
    "mixtures,estimates,message",
    [
        ((1, 3, 9), (1, 4, 9), r"\(batch, 2, samples\).*\(1, 3, 9\)"),
        ((1, 2, 9), (1, 9), r"\(batch, M, samples\).*\(1, 9\)"),
        ((1, 2, 9), (1, 17, 9), r"at most 16.*\(1, 17, 9\)"),
        ((1, 2, 9), (1, 4, 8), r"equally long.*\(1, 4, 8\)"),
    ],
)
def test_wrong_shapes_are_refused(mixtures, estimates, message):
    with pytest.raises(ValueError, match=message):
        mixit_loss(np.zeros(mixtures), np.zeros(estimates))
