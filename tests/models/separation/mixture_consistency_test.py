"""Mixture consistency against stored values of the reference."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from models.separation.mixture_consistency import mixture_consistency
from tests.agreement import largest_difference

GOLDEN = Path(__file__).parents[2] / "golden" / "mixture_consistency.npz"


@pytest.fixture(scope="module")
def golden():
    return dict(np.load(GOLDEN))


@pytest.mark.parametrize("mics", ["mic1", "mic2"])
@pytest.mark.parametrize(
    "output,kind,weights",
    [
        ("uniform", "uniform", None),
        ("magsq", "magsq", None),
        ("explicit", "none", "explicit"),
        ("explicit_time_varying", "none", "time_varying"),
        # Explicit weights win over the kind, and are not normalised.
        ("explicit_not_normalised", "magsq", "not_normalised"),
    ],
)
def test_equals_the_reference(agrees, golden, mics, output, kind, weights):
    if weights is not None:
        weights = golden[f"{mics}_weights_{weights}"]
    result = mixture_consistency(
        golden[f"{mics}_mixture"], golden[f"{mics}_separated"], kind, weights
    )
    difference = largest_difference(result, golden[f"{mics}_out_{output}"])
    agrees("mixture consistency", "sound-separation", difference, 1e-6)


@pytest.mark.parametrize("kind", ["uniform", "magsq"])
def test_estimates_sum_to_the_mixture(golden, kind):
    mixture = golden["mic1_mixture"][:, 0]
    estimates = golden["mic1_separated"][:, :, 0]
    result = mixture_consistency(mixture, estimates, kind)
    np.testing.assert_allclose(np.sum(result, axis=1), mixture, atol=1e-6)


def test_none_leaves_the_estimates(golden):
    estimates = golden["mic1_separated"]
    result = mixture_consistency(golden["mic1_mixture"], estimates, "none")
    np.testing.assert_array_equal(result, estimates)


def test_gradient_flows_through_power_weights():
    """Two channels of one sample, by hand.

    With a = 2, b = 1 and mixture m = 4: w = a^2 / (a^2 + b^2) = 0.8 and the
    first output is a + w (m - a - b), so its slope in a is
    1 - w + dw/da (m - a - b), with dw/da = 2 a b^2 / (a^2 + b^2)^2 = 0.16.
    """
    estimates = tf.constant([[[2.0], [1.0]]])
    with tf.GradientTape() as tape:
        tape.watch(estimates)
        result = mixture_consistency(tf.constant([[4.0]]), estimates, "magsq")
        first = result[0, 0, 0]
    assert float(first) == pytest.approx(2.8, abs=1e-6)
    slope = tape.gradient(first, estimates)[0, 0, 0]
    assert float(slope) == pytest.approx(1 - 0.8 + 0.16 * 1.0, abs=1e-6)


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="uniform.*kind='equal'"):
        mixture_consistency(np.zeros((1, 5)), np.zeros((1, 2, 5)), "equal")
