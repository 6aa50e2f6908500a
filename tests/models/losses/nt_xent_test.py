import numpy as np
import pytest
import tensorflow as tf

from models.losses.nt_xent import nt_xent
from tests.agreement import largest_difference, relative_difference
from tests.golden.loading import load

GOLDEN = load("nt_xent")
CASES = sorted(key[5:] for key in GOLDEN if key.startswith("loss_n"))


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradient_are_those_of_the_reference(agrees, case):
    size, dim, temperature = case.split("_")
    hidden = tf.Variable(GOLDEN[f"hidden_{size}_{dim}"])
    with tf.GradientTape() as tape:
        losses, _ = nt_xent(*tf.split(hidden, 2), float(temperature[1:]))
        loss = tf.reduce_mean(losses)
    gradient = tape.gradient(loss, hidden).numpy()
    key = f"grad_{case}"
    if key not in GOLDEN:
        key, gradient = f"{key}_every_eighth", gradient[::8]
    # The reference sums over both views: twice the mean over 2N anchors.
    difference = largest_difference(loss, GOLDEN[f"loss_{case}"] / 2)
    agrees("NT-Xent: loss", "SimCLR", difference, 5e-6)
    difference = relative_difference(gradient, GOLDEN[key] / 2)
    agrees("NT-Xent: gradient (relative)", "SimCLR", difference, 1e-5)


def test_small_losses_keep_their_digits():
    """Two pairs at right angles: log(1 + 2 exp(-1 / t)) for each anchor."""
    z = np.array([[1, 0], [0, 1]], "float32")
    for temperature in (0.5, 0.1, 0.05, 0.02):
        losses, _ = nt_xent(z, z, temperature)
        expected = np.log1p(2 * np.exp(-1 / temperature))
        np.testing.assert_allclose(losses, expected, rtol=1e-5)


@pytest.mark.parametrize("rows", ["equal", "zero"])
def test_a_collapsed_encoder_has_no_accuracy(rows):
    z = np.full((9, 5), {"equal": 0.3, "zero": 0.0}[rows], "float32")
    losses, correct = nt_xent(z, z, 0.1)
    np.testing.assert_array_equal(correct, 0)
    np.testing.assert_allclose(losses, np.log(17), rtol=1e-5)


def test_accuracy_by_hand():
    z_a = np.array([[1, 0], [0, 1]], "float32")
    # The second pair's views are opposite: both its anchors are wrong.
    z_b = np.array([[1, 0], [0, -1]], "float32")
    np.testing.assert_array_equal(nt_xent(z_a, z_b, 0.1)[1], [1, 0])
