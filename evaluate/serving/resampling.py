"""Resampling in the graph, by the very filters of soxr."""

import functools
import math

import numpy as np
import soxr
import tensorflow as tf

# Those of sound files, Hz. Each has a filter of its own in the graph.
RATES_HZ = (
    *(8000, 11025, 12000, 16000, 22050, 24000, 32000),
    *(44100, 48000, 64000, 88200, 96000),
)
# Filters of stranger ratios have too many places, and are left out.
_MOST_VALUES = 1 << 21
# soxr's filters reach this far, in samples of the lower rate.
_REACH = 110


def rates_to(sample_rate_hz: int) -> list[int]:
    """Rates that can be brought to this one; itself among them."""
    return [
        rate_hz
        for rate_hz in sorted({*RATES_HZ, sample_rate_hz})
        if Resampler(rate_hz, sample_rate_hz).num_values <= _MOST_VALUES
    ]


class Resampler:
    """From one rate to another, zeros before and after, as `soxr.resample`.

    Every `up` samples of the output see the same filters again, `down` samples
    of the input later: they are read off soxr's answers to single samples.
    """

    def __init__(self, from_hz: int, to_hz: int):
        divisor = math.gcd(from_hz, to_hz)
        self._from_hz, self._to_hz = from_hz, to_hz
        self._up, self._down = to_hz // divisor, from_hz // divisor
        self._margin = math.ceil(_REACH * max(1, from_hz / to_hz))
        self._length = self._down + 2 * self._margin

    @property
    def num_values(self) -> int:
        """Of its filters."""
        return self._length * self._up

    @functools.cached_property
    def _filters(self) -> np.ndarray:
        """(length, up) float32: what each output sees of the inputs."""
        up, down, margin = self._up, self._down, self._margin
        length = self._length
        # So far apart that no output sees two, and at each place of `down`.
        blocks = -(-2 * length // down)
        places = margin + length + np.arange(down) * (blocks * down + 1)
        impulses = np.zeros(places[-1] + 2 * length)
        impulses[places] = 1
        answer = soxr.resample(impulses, self._from_hz, self._to_hz)
        filters = np.zeros((length, up), np.float32)
        for place in places:
            first = -(-(place + margin - length + 1) // down)
            last = (place + margin) // down
            for block in range(first, last + 1):
                tap = place + margin - block * down
                filters[tap] = answer[block * up : (block + 1) * up]
        return filters

    def __call__(self, samples: tf.Tensor) -> tf.Tensor:
        """(T,) float32 -> (T at the other rate, rounded,)."""
        if self._from_hz == self._to_hz:
            return samples
        number = tf.cast(tf.shape(samples)[0], tf.int64)
        number = (2 * number * self._to_hz + self._from_hz) // (
            2 * self._from_hz
        )
        number = tf.cast(number, tf.int32)
        blocks = tf.maximum(-(-number // self._up), 1)
        seen = (blocks - 1) * self._down + self._length
        padded = tf.pad(samples, [[self._margin, seen]])[:seen]
        found = tf.nn.conv1d(
            padded[None, :, None],
            self._filters[:, None, :],
            stride=self._down,
            padding="VALID",
        )  # (1, blocks, up)
        return tf.reshape(found, [-1])[:number]
