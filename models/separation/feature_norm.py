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
        dtype = loss_dtype(inputs)
        inputs = ops.cast(inputs, dtype)
        # Two passes: the mean of squares minus the squared mean cancels.
        centred = inputs - ops.mean(inputs, axis=self.axis, keepdims=True)
        variance = ops.mean(ops.square(centred), axis=self.axis, keepdims=True)
        gain = ops.cast(self.gain, dtype)
        offset = ops.cast(self.offset, dtype)
        outputs = centred * (gain * ops.rsqrt(variance + _EPSILON))
        return ops.cast(outputs + offset, self.compute_dtype)
