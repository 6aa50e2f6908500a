import keras
import numpy as np
import pytest

from train.loop.optimizers import LARS, learning_rate, make_optimizer
from train.loop.training_options import OPTIMIZERS, TrainingOptions

RATE, DECAY = 0.2, 0.3


def _model():
    layers = [keras.Input((2,)), keras.layers.Dense(3)]
    model = keras.Sequential([*layers, keras.layers.BatchNormalization()])
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(rng.uniform(0.5, 2, variable.shape))
    return model


def _steps(gradients_of, steps=3, **options):
    """Trainable variables by name before and after."""
    model = _model()
    options = TrainingOptions(learning_rate=RATE, **options)
    optimizer = make_optimizer(options, model)
    variables = model.trainable_variables
    before = {v.name: np.array(v) for v in variables}
    for _ in range(steps):
        gradients = [
            keras.ops.convert_to_tensor(gradients_of(v), "float32")
            for v in variables
        ]
        optimizer.apply(gradients, variables)
    assert int(optimizer.iterations) == steps
    return before, {v.name: np.array(v) for v in variables}


def _zeros(variable):
    return np.zeros(variable.shape)


def _rates(at_steps, **options):
    rate = learning_rate(TrainingOptions(**options))
    return [float(rate(step)) for step in at_steps]


@pytest.mark.parametrize(
    "optimizer, decay",
    [(name, 0.0) for name in OPTIMIZERS]
    + [(name, DECAY) for name in OPTIMIZERS if name != "adam"],
)
def test_steps_are_finite_and_go_down(optimizer, decay):
    before, after = _steps(
        lambda v: np.full(v.shape, 0.7), optimizer=optimizer, weight_decay=decay
    )
    assert list(before) == ["kernel", "bias", "gamma", "beta"]
    for name, value in after.items():
        assert np.isfinite(value).all()
        assert (value < before[name]).all()


@pytest.mark.parametrize("optimizer", ["adamw", "lamb", "lars"])
def test_weight_decay_leaves_out_biases_and_norms(optimizer):
    before, after = _steps(
        _zeros, steps=2, optimizer=optimizer, weight_decay=DECAY
    )
    # LARS: by rate times its trust of 0.001, and 0.9 of that once more.
    factor = (1 - RATE * DECAY) ** 2
    if optimizer == "lars":
        first = RATE * 1e-3
        factor = 1 - first - (0.9 * first + first * (1 - first))
    for name, value in after.items():
        expected = before[name] * (factor if name == "kernel" else 1.0)
        np.testing.assert_allclose(value, expected, rtol=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_without_decay_a_gradient_of_zero_moves_nothing(optimizer):
    before, after = _steps(_zeros, optimizer=optimizer)
    for name, value in after.items():
        np.testing.assert_array_equal(value, before[name])


def test_each_name_makes_its_optimizer():
    kinds = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "lamb": keras.optimizers.Lamb,
        "lars": LARS,
    }
    assert tuple(kinds) == OPTIMIZERS
    for name, kind in kinds.items():
        options = TrainingOptions(optimizer=name, learning_rate=RATE)
        optimizer = make_optimizer(options, _model())
        assert type(optimizer) is kind and optimizer.built
        assert float(optimizer.learning_rate) == pytest.approx(RATE)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_only_float16_has_a_loss_scale(optimizer):
    for precision in ("float32", "mixed_bfloat16", "mixed_float16"):
        made = make_optimizer(
            TrainingOptions(optimizer=optimizer, precision=precision), _model()
        )
        is_scaled = isinstance(made, keras.optimizers.LossScaleOptimizer)
        assert is_scaled == (precision == "mixed_float16")
        scale = float(made.scale_loss(keras.ops.ones(())))
        assert (scale > 1) == is_scaled
        assert made.built


def test_decay_with_adam_is_refused():
    with pytest.raises(ValueError, match="--weight_decay=0.3 is not for --opt"):
        TrainingOptions(weight_decay=DECAY)


def test_a_constant_rate_is_a_number():
    assert learning_rate(TrainingOptions(learning_rate=RATE)) == RATE


def test_warm_up_then_constant():
    rates = _rates(
        [0, 1, 4, 5, 50], learning_rate=RATE, warmup_steps=5, steps=20
    )
    expected = [0.0, RATE / 5, RATE * 4 / 5, RATE, RATE]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)


@pytest.mark.parametrize("warmup_steps", [0, 4])
def test_cosine_falls_to_zero_at_the_last_step(warmup_steps):
    between = 12
    steps = warmup_steps + np.array([0, 3, 6, 12, 99])
    rates = _rates(
        steps,
        learning_rate=RATE,
        warmup_steps=warmup_steps,
        cosine_decay=True,
        steps=warmup_steps + between,
    )
    share = np.minimum(steps - warmup_steps, between) / between
    expected = RATE * (1 + np.cos(np.pi * share)) / 2
    np.testing.assert_allclose(rates, expected, atol=1e-7)


def test_a_run_shorter_than_its_warm_up():
    rates = _rates(
        [0, 3, 10],
        learning_rate=RATE,
        warmup_steps=6,
        steps=3,
        cosine_decay=True,
    )
    np.testing.assert_allclose(rates, [0.0, RATE / 2, 0.0], atol=1e-7)


def test_the_optimizer_follows_the_schedule():
    """The first step is at a rate of 0."""
    before, after = _steps(
        lambda v: np.ones(v.shape), steps=1, warmup_steps=2, optimizer="lars"
    )
    for name, value in after.items():
        np.testing.assert_array_equal(value, before[name])
    _, after = _steps(
        lambda v: np.ones(v.shape), steps=2, warmup_steps=2, optimizer="lars"
    )
    np.testing.assert_allclose(after["bias"], before["bias"] - RATE / 2, 1e-6)
