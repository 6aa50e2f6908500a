"""Parses records in the graph, by the keys of `example_schema`."""

from collections.abc import Sequence

import tensorflow as tf

from data.shards.example_schema import (
    AUDIO,
    CLIP_ID,
    LABELS,
    NUM_SAMPLES,
    STEM_NAMES,
    STEMS,
    VERSION_KEY,
    channels_key,
)


def parse(
    serialized: tf.Tensor,
    processors: Sequence[str] = (),
    num_channels: int = 0,
    stems: bool = False,
) -> dict[str, tf.Tensor]:
    """Parses one serialized example.

    Args:
      serialized: scalar string.
      processors: names whose channels are wanted.
      num_channels: M, channels each processor made.
      stems: whether the stems are wanted.

    Returns:
      CLIP_ID, AUDIO: scalar strings; VERSION_KEY, NUM_SAMPLES: scalar int64;
      LABELS: (labels,) int64; per processor its `channels_key`: (M,) strings;
      STEMS and STEM_NAMES: (S,) strings, when wanted.
    """
    spec = {
        VERSION_KEY: tf.io.FixedLenFeature([], tf.int64),
        CLIP_ID: tf.io.FixedLenFeature([], tf.string),
        AUDIO: tf.io.FixedLenFeature([], tf.string),
        NUM_SAMPLES: tf.io.FixedLenFeature([], tf.int64),
        LABELS: tf.io.VarLenFeature(tf.int64),
    }
    for processor in processors:
        spec[channels_key(processor)] = tf.io.FixedLenFeature(
            [num_channels], tf.string
        )
    if stems:
        spec[STEMS] = tf.io.VarLenFeature(tf.string)
        spec[STEM_NAMES] = tf.io.VarLenFeature(tf.string)
    parsed = tf.io.parse_single_example(serialized, spec)
    return {
        key: value.values if isinstance(value, tf.SparseTensor) else value
        for key, value in parsed.items()
    }
