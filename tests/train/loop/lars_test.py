import keras
import numpy as np
import pytest

from train.loop.optimizers import LARS

MATRIX = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.5]], "f4")
VECTOR = np.array([2.0, -1.0, 0.5], "f4")
SIZES = {"momentum": 0.8, "weight_decay": 0.05, "trust_coefficient": 0.02}


def _after(start, gradients, rate=0.3, **sizes):
    """Values of a variable after each step, by the optimizer."""
    variable = keras.Variable(start)
    optimizer = LARS(rate, **{**SIZES, **sizes})
    optimizer.build([variable])
    values = []
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        values.append(np.array(variable))
    return values


def _by_hand(start, gradients, rates, momentum, weight_decay, trust):
    w, velocity, values = start.astype("f8"), 0.0, []
    for g, rate in zip(gradients, rates, strict=True):
        if w.ndim > 1:
            g = g + weight_decay * w
            if w.any() and g.any():
                rate *= trust * np.sqrt((w**2).sum() / (g**2).sum())
        velocity = momentum * velocity + rate * g
        w = w - velocity
        values.append(w)
    return values


def _gradients(start, steps=3):
    rng = np.random.default_rng(1)
    return [rng.normal(size=start.shape).astype("f4") for _ in range(steps)]


def test_the_first_step_of_a_matrix_in_figures():
    """Norms 5 and 10, trust 0.02: the rate of 0.3 becomes 0.003."""
    weights, gradient = np.array([[3.0], [4.0]]), np.array([[6.0], [8.0]])
    found = _after(weights, [gradient], weight_decay=0.0)[0]
    np.testing.assert_allclose(found, [[2.982], [3.976]], rtol=1e-6)
    # The decay makes (6, 0) of this gradient, and so 0.005 of the rate.
    gradient = np.array([[4.5], [-2.0]])
    found = _after(weights, [gradient], weight_decay=0.5)[0]
    np.testing.assert_allclose(found, [[2.97], [4.0]], rtol=1e-6)


def test_the_first_step_of_a_vector_is_plain():
    found = _after(VECTOR, [np.array([1.0, 2.0, -4.0], "f4")])[0]
    np.testing.assert_allclose(found, [1.7, -1.6, 1.7], rtol=1e-6)


@pytest.mark.parametrize("start", [MATRIX, VECTOR], ids=["matrix", "vector"])
def test_steps_with_momentum_and_decay(start):
    gradients = _gradients(start)
    expected = _by_hand(start, gradients, [0.3] * 3, 0.8, 0.05, 0.02)
    for found, wanted in zip(_after(start, gradients), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=2e-6)


def test_the_scale_of_a_matrix_gradient_does_not_matter():
    gradients = _gradients(MATRIX)
    first = _after(MATRIX, gradients, weight_decay=0.0)
    other = _after(MATRIX, [1e3 * g for g in gradients], weight_decay=0.0)
    np.testing.assert_allclose(other, first, rtol=1e-6)


def test_a_gradient_of_zero():
    zero = [np.zeros_like(MATRIX)]
    still = _after(MATRIX, zero, weight_decay=0.0)[0]
    np.testing.assert_array_equal(still, MATRIX)
    # Decay alone: by rate * trust, whatever the decay.
    shrunk = _after(MATRIX, zero)[0]
    np.testing.assert_allclose(shrunk, MATRIX * (1 - 0.3 * 0.02), rtol=1e-6)
    np.testing.assert_array_equal(_after(VECTOR, [0 * VECTOR])[0], VECTOR)


def test_weights_of_zero_leave_where_they_are():
    gradient = _gradients(MATRIX)[0]
    found = _after(np.zeros_like(MATRIX), [gradient])[0]
    np.testing.assert_allclose(found, -0.3 * gradient, rtol=1e-6)


def test_a_schedule_is_followed():
    rates = [0.5, 0.25, 0.125]
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [0.5, 1.5], rates
    )
    gradients = _gradients(MATRIX)
    expected = _by_hand(MATRIX, gradients, rates, 0.8, 0.05, 0.02)
    found = _after(MATRIX, gradients, rate=schedule)
    np.testing.assert_allclose(found[-1], expected[-1], rtol=2e-6)


def test_config_round_trip():
    schedule = keras.optimizers.schedules.CosineDecay(0.7, 9)
    first = LARS(schedule, **SIZES, name="mine")
    config = keras.saving.serialize_keras_object(first)
    again = keras.saving.deserialize_keras_object(config)
    assert isinstance(again, LARS) and again.get_config() == first.get_config()
    assert {k: again.get_config()[k] for k in SIZES} == SIZES
    # The same steps.
    gradients = _gradients(MATRIX)
    variable = keras.Variable(MATRIX)
    for gradient in gradients:
        again.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    expected = _after(MATRIX, gradients, rate=schedule)[-1]
    np.testing.assert_array_equal(np.array(variable), expected)
