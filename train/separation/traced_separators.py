"""Runs separators as graphs; those of one architecture share a trace."""

import json

import tensorflow as tf

from models.separation.separator import Separator


class TracedSeparators:
    """Tracing a large separator takes as long as separating many clips.

    Call: a separator and waveforms (B, T) float32 of any size -> its channels
    (B, M, T).
    """

    def __init__(self):
        self._traces = {}

    def __call__(self, separator: Separator, waveforms) -> tf.Tensor:
        architecture = {**separator.get_config(), "name": None}
        key = json.dumps(architecture, sort_keys=True)
        if key not in self._traces:
            self._traces[key] = _trace(separator)
        return self._traces[key](_weights(separator), waveforms)


def _trace(separator: Separator) -> tf.types.experimental.PolymorphicFunction:
    weights = [
        [tf.TensorSpec(value.shape, value.dtype) for value in values]
        for values in _weights(separator)
    ]
    waveforms = tf.TensorSpec([None, None])

    @tf.function(input_signature=[weights, waveforms], autograph=False)
    def channels_of(weights, waveforms):
        channels, _ = separator.stateless_call(*weights, waveforms)
        return channels

    return channels_of


def _weights(separator: Separator) -> list[list[tf.Tensor]]:
    """Trainable ones and others."""
    return [
        [variable.value for variable in variables]
        for variables in (
            separator.trainable_variables,
            separator.non_trainable_variables,
        )
    ]
