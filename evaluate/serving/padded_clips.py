"""Clips of different length in one batch, each embedded as it is alone."""

from collections.abc import Callable

import tensorflow as tf

from models.embedding_model import EmbeddingModel
from models.numerics.valid_waveform import MAX_AMPLITUDE

# Windows that are encoded at once: longer clips take no more memory.
_WINDOWS = 64


def valid_clips(waveform: tf.Tensor, num_samples: tf.Tensor) -> tf.Tensor:
    """Which clips networks can answer for, as `is_valid` says.

    Args:
      waveform: (B, T); what it holds past the end of a clip is not looked at.
      num_samples: (B,) the length of each clip; it is not valid beyond 1..T.

    Returns:
      Booleans (B,).
    """
    length = tf.shape(waveform)[1]
    is_past = tf.range(length) >= num_samples[:, None]
    # Comparisons with NaN are false.
    fits = is_past | (tf.abs(waveform) <= MAX_AMPLITUDE)
    has_length = (num_samples >= 1) & (num_samples <= length)
    return tf.reduce_all(fits, axis=1) & has_length


class ClipWindows:
    """The windows of each clip, those that `EmbeddingModel` cuts of it alone.

    Args:
      model: whose windows they are.
      num_samples: (B,) int32, the length of each clip, at least 1.

    Attributes:
      clip: (N,) which clip a window is of, ascending.
      counts: (B,) windows of each clip.
      start, end: (N,) where a window is in its clip, samples.
    """

    def __init__(self, model: EmbeddingModel, num_samples: tf.Tensor):
        self._model = model
        self._num_samples = num_samples
        self.counts = model.num_windows(num_samples)
        self.clip = tf.repeat(tf.range(tf.shape(self.counts)[0]), self.counts)
        first = tf.cumsum(self.counts, exclusive=True)
        number = tf.range(tf.shape(self.clip)[0]) - tf.gather(first, self.clip)
        length = tf.gather(num_samples, self.clip)
        last = tf.maximum(length - model.window_samples, 0)
        self.start = tf.minimum(number * model.window_hop_samples, last)
        self.end = tf.minimum(self.start + model.window_samples, length)

    def encode(
        self,
        waveform: tf.Tensor,
        encode: Callable[[tf.Tensor], tf.Tensor],
        dim: int,
    ) -> tf.Tensor:
        """Cuts and encodes some windows at a time.

        Args:
          waveform: (B, T) with T at least the longest of `num_samples`.
          encode: (n, window_samples) -> (n, dim).
          dim: d.

        Returns:
          (N, dim).
        """
        total = tf.shape(self.clip)[0]
        turns = (total + _WINDOWS - 1) // _WINDOWS

        def turn(number, found):
            these = slice(number * _WINDOWS, (number + 1) * _WINDOWS)
            clip = self.clip[these]
            # Past the end of a short clip it begins again.
            places = self.start[these][:, None] + tf.range(
                self._model.window_samples
            )
            places %= tf.gather(self._num_samples, clip)[:, None]
            places += clip[:, None] * tf.shape(waveform)[1]
            windows = tf.gather(tf.reshape(waveform, [-1]), places)
            return number + 1, found.write(number, encode(windows))

        found = tf.TensorArray(
            tf.float32, turns, infer_shape=False, element_shape=[None, dim]
        )
        _, found = tf.while_loop(
            lambda number, _: number < turns,
            turn,
            (0, found),
            parallel_iterations=1,
        )
        return tf.ensure_shape(found.concat(), [None, dim])

    def mean(self, vectors: tf.Tensor) -> tf.Tensor:
        """Of the windows of each clip: (N, d) -> (B, d)."""
        return tf.math.segment_mean(vectors, self.clip)

    def by_clip(self, values: tf.Tensor) -> tf.Tensor:
        """(N, ...) -> (B, W, ...), zeros where a clip has less than W."""
        return tf.RaggedTensor.from_row_lengths(values, self.counts).to_tensor()
