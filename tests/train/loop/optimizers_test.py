import keras
import numpy as np
import pytest
import tensorflow as tf

from models.separation.separator import Separator
from train.loop.optimizers import (
    LARS,
    FusedAdam,
    FusedAdamW,
    learning_rate,
    make_optimizer,
)
from train.loop.training_options import OPTIMIZERS, TrainingOptions
from train.separation.separation_config import SeparationConfig

RATE, DECAY = 0.2, 0.3

# Of LARS.
MATRIX = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.5]], "f4")
VECTOR = np.array([2.0, -1.0, 0.5], "f4")
SIZES = {"momentum": 0.8, "weight_decay": 0.05, "trust_coefficient": 0.02}
RATES = [0.5, 0.25, 0.125]


def _model():
    layers = [keras.Input((2,)), keras.layers.Dense(3)]
    model = keras.Sequential([*layers, keras.layers.BatchNormalization()])
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(rng.uniform(0.5, 2, variable.shape))
    return model


def _steps(gradient, steps, **options):
    """Trainable variables by name before and after."""
    model = _model()
    options = TrainingOptions(learning_rate=RATE, **options)
    optimizer = make_optimizer(options, model)
    variables = model.trainable_variables
    before = {v.name: np.array(v) for v in variables}
    assert list(before) == ["kernel", "bias", "gamma", "beta"]
    for _ in range(steps):
        optimizer.apply([tf.fill(v.shape, gradient) for v in variables])
    return before, {v.name: np.array(v) for v in variables}


@pytest.mark.parametrize("optimizer", ["adamw", "lamb", "lars"])
def test_weight_decay_leaves_out_biases_and_norms(optimizer):
    before, after = _steps(0.0, 2, optimizer=optimizer, weight_decay=DECAY)
    # LARS: by rate times its trust of 0.001, and 0.9 of that once more.
    factor = (1 - RATE * DECAY) ** 2
    if optimizer == "lars":
        first = RATE * 1e-3
        factor = 1 - first - (0.9 * first + first * (1 - first))
    for name, value in after.items():
        expected = before[name] * (factor if name == "kernel" else 1.0)
        np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_decay_with_adam_is_refused():
    with pytest.raises(ValueError, match="--weight_decay=0.3 is not for --opt"):
        TrainingOptions(weight_decay=DECAY)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_each_name_makes_its_optimizer(precision):
    """With a loss scale for float16 only."""
    kinds = (FusedAdam, FusedAdamW, keras.optimizers.Lamb, LARS)
    for name, kind in zip(OPTIMIZERS, kinds, strict=True):
        options = TrainingOptions(
            optimizer=name, learning_rate=RATE, precision=precision
        )
        made = make_optimizer(options, _model())
        is_scaled = precision == "mixed_float16"
        assert (float(made.scale_loss(keras.ops.ones(()))) > 1) == is_scaled
        assert made.built
        assert type(made.inner_optimizer if is_scaled else made) is kind
        assert float(made.learning_rate) == pytest.approx(RATE)


def _adam_by_hand(weight, gradients, rate, decay):
    """Kingma and Ba, algorithm 1 (epsilon beside the corrected root: 2.1)."""
    m = v = 0.0
    for step, gradient in enumerate(gradients, start=1):
        weight = weight - rate(step - 1) * decay * weight
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        size = rate(step - 1) * (1 - 0.999**step) ** 0.5 / (1 - 0.9**step)
        weight = weight - size * m / (v**0.5 + 1e-3)
    return weight, m, v


@pytest.mark.parametrize(
    "dtype, within", [("float32", 3e-5), ("float64", 1e-7)]
)
@pytest.mark.parametrize("kind, decay", [(FusedAdam, 0.0), (FusedAdamW, 0.3)])
def test_adam_by_hand(kind, decay, dtype, within):
    """With a schedule, in a graph and without; rates are float32."""
    rng = np.random.default_rng(0)
    starts = [rng.normal(size=shape) for shape in ((3, 4), (5,), ())]
    gradients = [[rng.normal(size=s.shape) for s in starts] for _ in range(4)]
    rates = keras.optimizers.schedules.CosineDecay(0.1, 5)
    options = {"weight_decay": decay} if decay else {}
    optimizer = kind(rates, epsilon=1e-3, **options)
    variables = [keras.Variable(start, dtype=dtype) for start in starts]
    optimizer.build(variables)
    for number, values in enumerate(gradients):
        values = [tf.constant(value, dtype) for value in values]
        apply = optimizer.apply
        (tf.function(apply) if number % 2 else apply)(values)
    found = zip(
        variables, optimizer._momentums, optimizer._velocities, strict=True
    )
    for place, (start, of_variable) in enumerate(
        zip(starts, found, strict=True)
    ):
        wanted = _adam_by_hand(
            start,
            [g[place] for g in gradients],
            lambda k: float(rates(k)),
            decay,
        )
        for value, expected in zip(of_variable, wanted, strict=True):
            np.testing.assert_allclose(np.array(value), expected, within)


def test_gradients_are_not_summed_once_more():
    """The sum has a private name in Keras: by another one, it would be done."""
    model = _model()
    made, calls = make_optimizer(TrainingOptions(), model), []
    assert made._all_reduce_sum_gradients is list
    made._all_reduce_sum_gradients = lambda pairs: calls.append(pairs) or pairs
    made.apply([tf.ones(v.shape) for v in model.trainable_variables])
    assert len(calls) == 1


def _rates(at_steps, **options):
    rate = learning_rate(TrainingOptions(learning_rate=RATE, **options))
    return [float(rate(step)) for step in at_steps]


def test_warm_up_then_constant():
    assert learning_rate(TrainingOptions(learning_rate=RATE)) == RATE
    rates = _rates([0, 1, 4, 5, 50], warmup_steps=5, steps=20)
    expected = [0.0, RATE / 5, RATE * 4 / 5, RATE, RATE]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)


@pytest.mark.parametrize("warmup_steps", [0, 4])
def test_cosine_falls_to_zero_at_the_last_step(warmup_steps):
    after = np.array([0, 3, 6, 12, 99])
    rates = _rates(
        warmup_steps + after,
        warmup_steps=warmup_steps,
        cosine_decay=True,
        steps=warmup_steps + 12,
    )
    share = np.minimum(after, 12) / 12
    expected = RATE * (1 + np.cos(np.pi * share)) / 2
    np.testing.assert_allclose(rates, expected, atol=1e-7)


def test_the_rate_falls_by_half_in_so_many_steps():
    halves = np.array([1, 0.5**0.5, 0.5, 0.25])
    rates = _rates([0, 2, 4, 8], halving_steps=4)
    np.testing.assert_allclose(rates, RATE * halves, rtol=1e-6)
    # On top of a warm-up.
    rates = _rates([0, 2, 4, 8], halving_steps=4, warmup_steps=4)
    expected = RATE * halves * [0, 0.5, 1, 1]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)


def test_epsilon_is_that_of_the_flag():
    for optimizer in ("adam", "adamw"):
        options = TrainingOptions(optimizer=optimizer, adam_epsilon=3e-5)
        assert make_optimizer(options, _model()).epsilon == 3e-5
    assert SeparationConfig().adam_epsilon == 1e-8


@pytest.mark.parametrize("optimizer", ["adamw", "lars"])
def test_no_decay_of_slopes(optimizer):
    separator = Separator(
        bottleneck=3, conv_channels=5, num_dilations=1, num_repeats=1
    )
    options = TrainingOptions(optimizer=optimizer, weight_decay=DECAY)
    made = make_optimizer(options, separator)
    variables = separator.trainable_variables
    before = {v.path: np.array(v) for v in variables}
    made.apply([tf.zeros(v.shape) for v in variables])
    kept = {v.path for v in variables if np.array_equal(v, before[v.path])}
    kinds = {path.split("/")[-1] for path in kept}
    assert kinds == {"alpha", "bias", "gain", "offset", "scale"}
    assert {p for p in before if p.endswith("alpha")} <= kept


def test_the_optimizer_follows_the_schedule():
    """The first step is at a rate of 0."""
    before, after = _steps(1.0, 1, warmup_steps=2, optimizer="lars")
    np.testing.assert_array_equal(after["bias"], before["bias"])
    _, after = _steps(1.0, 2, warmup_steps=2, optimizer="lars")
    np.testing.assert_allclose(after["bias"], before["bias"] - RATE / 2, 1e-6)


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


@pytest.mark.parametrize("scale", [1.0, 0.0])
@pytest.mark.parametrize("start", [MATRIX, 0 * MATRIX, VECTOR])
def test_lars_with_a_schedule_momentum_and_decay(start, scale):
    """From weights of 0 and by gradients of 0 too."""
    rng = np.random.default_rng(1)
    gradients = [scale * rng.normal(size=start.shape) for _ in RATES]
    found = _after(LARS(_schedule(), **SIZES), start, gradients)
    np.testing.assert_allclose(found, _by_hand(start, gradients), rtol=2e-6)


def test_config_of_lars_round_trip():
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
