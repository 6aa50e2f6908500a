"""Normalisation over time with a scalar gain and offset."""

import keras
from keras import ops

from models.numerics.precision import loss_dtype

# Added to the (population) variance, as in the reference.
_EPSILON = 1e-3


@keras.saving.register_keras_serializable(package="separated_scenes")
class FeatureNorm(keras.layers.Layer):
    """Zero mean and unit variance over the given axes, per example.

    Over time only, this is the "instance norm" of
    google-research/sound-separation (asteroid's feature-wise global layer
    norm, but with one gain and one offset for all channels). It looks at the
    whole clip, so a network that uses it is not causal.

    Input and output: (batch, frames, channels). Statistics are computed in
    float32 under reduced precision.

    Args:
        axis: Axis or axes to normalise over; 1 is time.
    """

    def __init__(self, axis: int | tuple[int, ...] = 1, **kwargs):
        super().__init__(**kwargs)
        # A list comes back from a JSON config where a tuple went in.
        self.axis = tuple(axis) if isinstance(axis, list) else axis

    def build(self, input_shape):
        self.gain = self.add_weight(name="gain", shape=(), initializer="ones")
        self.offset = self.add_weight(
            name="offset", shape=(), initializer="zeros"
        )
        self.built = True

    def call(self, inputs):
        centred, factor = self.centre(inputs)
        offset = ops.cast(self.offset, centred.dtype)
        return ops.cast(centred * factor + offset, self.compute_dtype)

    def centre(self, inputs):
        """The norm but for what a linear layer after it can take over.

        Returns:
            The inputs less their means, and the factor that their product
            with, plus `offset`, is the norm: float32 or float64, of the shape
            of the inputs, and the same with a 1 in the axes normalised over.
        """
        inputs = ops.cast(inputs, loss_dtype(inputs))
        mean = self._mean_by_product(inputs) if self.axis == 1 else self._mean
        # Two passes: the mean of squares minus the squared mean cancels.
        centred = inputs - mean(inputs)
        variance = mean(ops.square(centred))
        gain = ops.cast(self.gain, centred.dtype)
        return centred, gain * ops.rsqrt(variance + _EPSILON)

    def _mean(self, x):
        return ops.mean(x, axis=self.axis, keepdims=True)

    def _mean_by_product(self, like):
        """The mean over time, of what has such a shape.

        On CPUs it takes half of the time that a sum takes.
        """
        batch, frames, _ = ops.shape(like)
        shares = ops.full((batch, 1, frames), 1 / frames, like.dtype)
        return lambda x: ops.matmul(shares, x)
