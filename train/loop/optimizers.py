"""The optimizer that flags describe: Adam in one kernel, LAMB, or LARS."""

import math

import keras
import tensorflow as tf
from keras import ops

from train.loop.training_options import TrainingOptions


def learning_rate(
    options: TrainingOptions,
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Warm-up, halving and cosine decay where asked, by step."""
    rate = options.learning_rate
    if options.cosine_decay or options.warmup_steps:
        # alpha=1 holds the rate after the warm-up.
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if options.warmup_steps else rate,
            warmup_target=rate if options.warmup_steps else None,
            warmup_steps=options.warmup_steps,
            decay_steps=max(1, options.steps - options.warmup_steps),
            alpha=0.0 if options.cosine_decay else 1.0,
        )
    return (
        Halving(rate, options.halving_steps) if options.halving_steps else rate
    )


class Halving(keras.optimizers.schedules.LearningRateSchedule):
    """rate * 0.5 ** (step / halving_steps), of a number or a schedule."""

    def __init__(self, rate, halving_steps: int):
        self.rate, self.halving_steps = rate, halving_steps

    def __call__(self, step):
        rate = self.rate(step) if callable(self.rate) else self.rate
        share = ops.cast(step, "float32") / self.halving_steps
        return rate * ops.power(0.5, share)


def is_decayed(variable) -> bool:
    """Whether weight decay is for it: not for biases, norms and slopes.

    Those have one dimension, or one value.
    """
    return len(variable.shape) > 1 and math.prod(variable.shape) > 1


def make_optimizer(
    options: TrainingOptions, model: keras.Model
) -> keras.optimizers.Optimizer:
    """Built for the model; takes gradients of the global batch.

    Weight decay is for what `is_decayed` names.
    """
    rate, decay = learning_rate(options), options.weight_decay
    epsilon = options.adam_epsilon
    if options.optimizer == "adam":
        optimizer = FusedAdam(rate, epsilon=epsilon)
    else:
        optimizer = {
            "adamw": lambda: FusedAdamW(rate, decay, epsilon=epsilon),
            "lamb": lambda: keras.optimizers.Lamb(rate, weight_decay=decay),
            "lars": lambda: LARS(rate, weight_decay=decay),
        }[options.optimizer]()
        optimizer.exclude_from_weight_decay(
            [v for v in model.trainable_variables if not is_decayed(v)]
        )
    # Keras would sum gradients over replicas once more. It has no public way to
    # say so, and a second exchange of all of them is too dear.
    optimizer._all_reduce_sum_gradients = list
    if options.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(model.trainable_variables)
    return optimizer


class _FusedStep:
    """The step of Keras' Adam in a kernel of TensorFlow.

    A weight and its two moments are read and written once, and the graph has
    a few nodes a variable instead of twenty. All variables are of one type.
    """

    def _backend_update_step(self, gradients, variables, learning_rate):
        """Keras has no public place for what all variables share."""
        dtype = variables[0].dtype
        step = tf.cast(self.iterations + 1, dtype)
        beta_1 = tf.constant(self.beta_1, dtype)
        beta_2 = tf.constant(self.beta_2, dtype)
        shared = {
            "lr": tf.cast(learning_rate, dtype),
            "beta1": beta_1,
            "beta2": beta_2,
            "beta1_power": beta_1**step,
            "beta2_power": beta_2**step,
            "epsilon": tf.constant(self.epsilon, dtype),
        }
        super()._backend_update_step(gradients, variables, shared)

    def update_step(self, gradient, variable, shared):
        number = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[number].value.handle,
            v=self._velocities[number].value.handle,
            grad=tf.cast(gradient, variable.dtype),
            **shared,
        )


class FusedAdam(_FusedStep, keras.optimizers.Adam):
    """Adam, see `_FusedStep`."""


class FusedAdamW(_FusedStep, keras.optimizers.AdamW):
    """AdamW, likewise."""


@keras.saving.register_keras_serializable(package="separated_scenes")
class LARS(keras.optimizers.Optimizer):
    """Layer-wise adaptive rate scaling (You et al., 2017), as in SimCLR.

    For each weight w with gradient g, with g' = g + weight_decay * w:
      rate = learning_rate * trust_coefficient * |w| / |g'|
      velocity = momentum * velocity + rate * g';  w = w - velocity
    Others than `is_decayed` names take g and the learning rate as they are, as
    where a norm is 0.

    Args:
      learning_rate: a number or schedule; SimCLR: 0.3 * batch / 256.
      momentum: of the velocity.
      weight_decay: part of the gradient, for matrices only.
      trust_coefficient: see above.
    """

    def __init__(
        self,
        learning_rate=0.3,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust_coefficient: float = 1e-3,
        name: str = "lars",
        **kwargs,
    ):
        # Keras' own decay would not enter the norm.
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.momentum = momentum
        self.decay = weight_decay
        self.trust_coefficient = trust_coefficient

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._velocities = self.add_optimizer_variables(variables, "velocity")

    def update_step(self, gradient, variable, learning_rate):
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        velocity = self._velocities[self._get_variable_index(variable)]
        if is_decayed(variable):
            gradient = gradient + self.decay * variable
            of_weights, of_gradient = _norm(variable), _norm(gradient)
            both = ops.logical_and(of_weights > 0, of_gradient > 0)
            # Divides by 1 where it is not used.
            trust = of_weights / ops.where(both, of_gradient, 1.0)
            rate *= ops.where(both, self.trust_coefficient * trust, 1.0)
        self.assign(velocity, self.momentum * velocity + rate * gradient)
        self.assign_sub(variable, velocity)

    def get_config(self):
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "weight_decay": self.decay,
            "trust_coefficient": self.trust_coefficient,
        }


def _norm(x):
    # That of Keras takes no more than two dimensions.
    return ops.sqrt(ops.sum(ops.square(x)))
