"""Batch norm that takes a kernel which does all of it at once."""

from collections.abc import Callable

import keras


@keras.saving.register_keras_serializable(package="separated_scenes")
class BatchNorm(keras.layers.BatchNormalization):
    """That of Keras over the last axis, with PyTorch's defaults.

    The published weights were trained so: momentum 0.1 there is 0.9 here.

    Attributes:
      kernel: (x (..., C), gamma (C,), beta (C,), epsilon) -> x normalised,
        mean (C,) and population variance (C,), all float32. A backend may have
        one that goes through memory a third as often as the ops of Keras.
        These are used where it is None, where statistics are synchronised or
        kept as they are, and in other precisions. It is not saved with the
        model.
    """

    def __init__(self, **kwargs):
        super().__init__(**{"epsilon": 1e-5, "momentum": 0.9} | kwargs)
        self.kernel: Callable | None = None

    def call(self, inputs, training=None, mask=None):
        if (
            self.kernel is None
            or self.synchronized
            or not (training and self.trainable)
            or self.compute_dtype != "float32"
        ):
            return super().call(inputs, training=training, mask=mask)
        outputs, *moments = self.kernel(
            inputs, self.gamma, self.beta, self.epsilon
        )
        moving = self.moving_mean, self.moving_variance
        for variable, value in zip(moving, moments, strict=True):
            variable.assign(
                variable * self.momentum + value * (1.0 - self.momentum)
            )
        return outputs
