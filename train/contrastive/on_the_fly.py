"""Separates a batch inside the training step, each clip by its own draw."""

import keras
import tensorflow as tf

from train.contrastive import view_pipeline
from train.contrastive.view_pipeline import AUGMENT, VIEWS, ViewSpec


class OnTheFlyViews:
    """Batches of clips to batches of views, with frozen separators.

    There is one for each of `spec.processors`, in their order.
    """

    def __init__(self, separators: list[keras.Model], spec: ViewSpec):
        self._separators = separators
        self._spec = spec
        for separator in separators:
            separator.trainable = False

    def __call__(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        mixtures = batch[view_pipeline.MIXTURES]  # (B, T)
        draws = batch[view_pipeline.DRAWS]
        # Each separator gets only the clips that drew it.
        places = tf.dynamic_partition(
            tf.range(tf.shape(mixtures)[0]),
            self._spec.processor(draws),
            len(self._separators),
        )
        separated = [
            _separate(separator, tf.gather(mixtures, place))
            for separator, place in zip(self._separators, places, strict=True)
        ]
        channels = tf.dynamic_stitch(places, separated)  # (B, M, T)
        signals = tf.concat(
            [mixtures[:, None], tf.stop_gradient(channels)], axis=1
        )
        # Zeros past the end, for clips shorter than a view.
        samples = self._spec.view_samples
        padded = tf.pad(signals, [[0, 0], [0, 0], [0, samples]])

        def crop(signal, start):
            of_signal = tf.gather(padded, signal, batch_dims=1)
            times = start[:, None] + tf.range(samples)
            return tf.gather(of_signal, times, batch_dims=1)  # (B, samples)

        views = self._spec.take(crop, draws, batch[view_pipeline.LENGTHS])
        return {VIEWS: views, AUGMENT: batch[AUGMENT]}


def _separate(separator: keras.Model, mixtures: tf.Tensor) -> tf.Tensor:
    """(n, M, T) channels of (n, T) mixtures; n may be 0."""
    # A dilated convolution fails on an empty batch: give it some silence.
    count = tf.shape(mixtures)[0]
    padding = tf.cast(count == 0, tf.int32)
    padded = tf.pad(mixtures, [[0, padding], [0, 0]])
    return separator(padded, training=False)[:count]
