import keras
import numpy as np
import pytest
import tensorflow as tf

from train.loop.guarded_update import GuardedUpdate


class _Learner(keras.Model):
    """Fits 1 by a batch norm and a dense layer, (n, 2) -> (n, 3)."""

    def __init__(self, optimizer, max_gradient_norm=0.0, loss_scale=2.0**15):
        super().__init__()
        self.norm = keras.layers.BatchNormalization()
        self.dense = keras.layers.Dense(3)
        self.norm.build((None, 2))
        self.dense.build((None, 2))
        rng = np.random.default_rng(3)
        self.dense.kernel.assign(rng.normal(size=(2, 3)))
        self.built = True
        self.max_gradient_norm = max_gradient_norm
        self.optimizer = optimizer
        if keras.config.dtype_policy().name == "mixed_float16":
            self.optimizer = keras.optimizers.LossScaleOptimizer(
                self.optimizer, initial_scale=loss_scale
            )
        self.optimizer.build(self.trainable_variables)

    def losses(self, batch):
        y = self.dense(self.norm(batch, training=True))
        return tf.reduce_mean((tf.cast(y, tf.float32) - 1) ** 2)

    def train_step(self, batch, spoil=lambda loss, kernel: loss):
        update = GuardedUpdate(self)
        with tf.GradientTape() as tape:
            loss = spoil(self.losses(batch), self.dense.kernel.value)
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, self.trainable_variables)
        return update.apply(gradients, {"loss": loss, "other": batch[0, 0]})

    def state(self):
        values = self.weights + self.optimizer.variables
        return [np.array(value) for value in values]


def _batch(seed):
    rng = np.random.default_rng(seed)
    return tf.constant(rng.normal(size=(5, 2)), tf.float32)


def _nan_loss(loss, kernel):
    return loss * np.nan


def _nan_gradient(loss, kernel):
    """Of a root at 0, for a loss as it was."""
    zero = kernel - tf.stop_gradient(kernel)
    return loss + tf.sqrt(tf.reduce_sum(zero**2))


def _assert_equal(states, others):
    for one, other in zip(states, others, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("spoil", [_nan_loss, _nan_gradient])
def test_what_is_not_finite_moves_nothing(spoil):
    """Weights, slots, iterations, statistics; the next step is as without."""
    learners = [_Learner(keras.optimizers.Adam(0.1)) for _ in range(2)]
    steps = [tf.function(x.train_step, autograph=False) for x in learners]
    for step in steps:
        assert step(_batch(1))["skipped"] == 0
    before = learners[0].state()
    figures = steps[0](_batch(2), spoil)
    assert {name: float(value) for name, value in figures.items()} == {
        "loss": 0.0,
        "other": 0.0,
        "gradient_norm": 0.0,
        "skipped": 1.0,
    }
    _assert_equal(learners[0].state(), before)
    found, expected = [step(_batch(3)) for step in steps]
    _assert_equal(found.values(), expected.values())
    assert found["skipped"] == 0 and found["other"] == _batch(3)[0, 0]
    _assert_equal(learners[0].state(), learners[1].state())
    # They did move, statistics and iterations too: all but the learning rate.
    states = zip(learners[0].state(), before, strict=True)
    assert [np.any(one != other) for one, other in states].count(False) == 1


def _gradients(learner, batch):
    with tf.GradientTape() as tape:
        loss = learner.losses(batch)
    return tape.gradient(loss, learner.trainable_variables)


@pytest.mark.parametrize("max_norm", [0.0, 0.5, 1e3])
@pytest.mark.parametrize(
    "precision, tolerance", [("float32", 1e-6), ("mixed_float16", 5e-3)]
)
def test_gradients_are_scaled_down_together(precision, tolerance, max_norm):
    """Where they are larger; what descends by them is as large."""
    keras.mixed_precision.set_global_policy(precision)
    learner = _Learner(keras.optimizers.SGD(1.0), max_norm, loss_scale=64.0)
    gradients = _gradients(learner, _batch(1))
    norm = float(tf.linalg.global_norm(gradients))
    assert 1 < norm < 1e3
    before = [np.array(v) for v in learner.trainable_variables]
    figures = learner.train_step(_batch(1))
    # Before it was clipped.
    np.testing.assert_allclose(figures["gradient_norm"], norm, tolerance)
    assert figures["skipped"] == 0
    shrink = 0.5 / norm if max_norm == 0.5 else 1.0
    for variable, start, gradient in zip(
        learner.trainable_variables, before, gradients, strict=True
    ):
        np.testing.assert_allclose(
            start - variable, gradient * shrink, tolerance, tolerance
        )


def test_an_overflow_in_float16_halves_the_loss_scale():
    """With a finite loss: that is no fault, and the next step may fit."""
    keras.mixed_precision.set_global_policy("mixed_float16")
    learner = _Learner(keras.optimizers.Adam(0.1), max_gradient_norm=0.5)
    norm = float(tf.linalg.global_norm(_gradients(learner, _batch(1))))
    weights = [np.array(v) for v in learner.trainable_variables]
    scales, norms = [], []
    while int(learner.optimizer.iterations) == 0:
        _assert_equal(learner.trainable_variables, weights)
        scales.append(float(learner.optimizer.dynamic_scale))
        figures = learner.train_step(_batch(1))
        assert np.isfinite(figures["loss"]) and figures["skipped"] == 0
        norms.append(float(figures["gradient_norm"]))
    assert len(scales) > 1
    assert scales == [2.0 ** (15 - k) for k in range(len(scales))]
    assert norms[:-1] == [0.0] * (len(norms) - 1)
    assert norms[-1] == pytest.approx(norm, rel=5e-3)
    assert float(learner.optimizer.dynamic_scale) == scales[-1]


def test_what_no_loss_scale_mends_is_left_out():
    """Else the scale would fall to 0, by which gradients are divided."""
    keras.mixed_precision.set_global_policy("mixed_float16")
    learner = _Learner(keras.optimizers.Adam(0.1), loss_scale=4.0)
    before = learner.state()
    # It mends no loss.
    assert learner.train_step(_batch(1), _nan_loss)["skipped"] == 1
    _assert_equal(learner.state(), before)
    weights = [np.array(v) for v in learner.trainable_variables]
    skipped = [
        float(learner.train_step(_batch(1), _nan_gradient)["skipped"])
        for _ in range(4)
    ]
    assert skipped == [0.0, 0.0, 1.0, 1.0]
    assert float(learner.optimizer.dynamic_scale) == 1.0
    _assert_equal(learner.trainable_variables, weights)
    assert int(learner.optimizer.iterations) == 0
