import numpy as np
import pytest
import tensorflow as tf

from models.numerics.unit_norm import unit_norm


def _rows(scale):
    rows = np.random.default_rng(1).normal(size=(5, 7))
    return rows, tf.constant(rows * scale, tf.float32)


@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e18, 1e30])
def test_norm_is_one_at_any_scale(scale):
    rows, scaled = _rows(scale)
    with tf.GradientTape() as tape:
        tape.watch(scaled)
        unit = unit_norm(scaled)
        first = unit[:, 0]
    direction = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(unit, direction, atol=1e-6)
    # d(u_0)/dx = (e_0 - u_0 u) / |x|
    expected = (np.eye(7)[0] - direction[:, :1] * direction) / np.linalg.norm(
        rows, axis=1, keepdims=True
    )
    gradient = tape.gradient(first, scaled) * scale
    np.testing.assert_allclose(gradient, expected, atol=1e-5)


def test_rows_near_zero_shrink_and_zero_stays():
    rows, tiny = _rows(1e-9)
    np.testing.assert_allclose(unit_norm(tiny), rows * 1e-3, rtol=1e-5)
    zero = tf.zeros([2, 7])
    with tf.GradientTape() as tape:
        tape.watch(zero)
        unit = unit_norm(zero)
    np.testing.assert_array_equal(unit, 0)
    np.testing.assert_allclose(tape.gradient(unit, zero), 1e6)
