import keras
import numpy as np
import pytest

from train.loop.optimizers import LARS

MATRIX = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.5]], "f4")
VECTOR = np.array([2.0, -1.0, 0.5], "f4")
SIZES = {"momentum": 0.8, "weight_decay": 0.05, "trust_coefficient": 0.02}
RATES = [0.5, 0.25, 0.125]


def _after(optimizer, start, gradients):
    """Values of a variable after each step."""
    variable = keras.Variable(start)
    optimizer.build([variable])
    values = []
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        values.append(np.array(variable))
    return values


def _schedule():
    return keras.optimizers.schedules.PiecewiseConstantDecay([0.5, 1.5], RATES)


def _by_hand(start, gradients):
    w, velocity, values = start.astype("f8"), 0.0, []
    for g, rate in zip(gradients, RATES, strict=True):
        if w.ndim > 1:
            g = g + 0.05 * w
            if w.any() and g.any():
                rate *= 0.02 * np.sqrt((w**2).sum() / (g**2).sum())
        velocity = 0.8 * velocity + rate * g
        w = w - velocity
        values.append(w)
    return values


@pytest.mark.parametrize(
    "gradient, decay, expected",
    [
        # Norms 5 and 10, trust 0.02: the rate of 0.3 becomes 0.003.
        ([[6.0], [8.0]], 0.0, [[2.982], [3.976]]),
        # The decay makes (6, 0) of this gradient, and so 0.005 of the rate.
        ([[4.5], [-2.0]], 0.5, [[2.97], [4.0]]),
    ],
)
def test_the_first_step_of_a_matrix_in_figures(gradient, decay, expected):
    optimizer = LARS(0.3, weight_decay=decay, trust_coefficient=0.02)
    found = _after(optimizer, [[3.0], [4.0]], [np.array(gradient)])
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 0.0])
@pytest.mark.parametrize("start", [MATRIX, 0 * MATRIX, VECTOR])
def test_steps_of_a_schedule_with_momentum_and_decay(start, scale):
    """From weights of 0 and by gradients of 0 too."""
    rng = np.random.default_rng(1)
    gradients = [scale * rng.normal(size=start.shape) for _ in RATES]
    found = _after(LARS(_schedule(), **SIZES), start, gradients)
    np.testing.assert_allclose(found, _by_hand(start, gradients), rtol=2e-6)


def test_config_round_trip():
    first = LARS(_schedule(), **SIZES, name="mine")
    config = keras.saving.serialize_keras_object(first)
    again = keras.saving.deserialize_keras_object(config)
    assert isinstance(again, LARS) and again.get_config() == first.get_config()
    assert {k: again.get_config()[k] for k in SIZES} == SIZES
    # The same steps.
    gradients = [MATRIX + 1] * 2
    np.testing.assert_array_equal(
        _after(again, MATRIX, gradients), _after(first, MATRIX, gradients)
    )
