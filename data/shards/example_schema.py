"""The shard format: one `tf.train.Example` a clip, keys written here only.

| key | type | what |
| --- | --- | --- |
| `version` | int64 | format version, 1 |
| `clip/id` | bytes | unique in the dataset: path, `#start` where cut |
| `clip/source` | bytes | recording the clip was cut from |
| `clip/start_s` | float | position of the clip in it, seconds |
| `clip/labels` | int64 list | class indices, ascending; empty: unlabeled |
| `audio/encoded` | bytes | mono audio, in the dataset's audio format |
| `audio/num_samples` | int64 | its length |
| `stems/encoded` | bytes list | true sources (synthetic scenes only) |
| `stems/names` | bytes list | class of each stem, `background:...` last |
| `channels/<processor>` | bytes list | channels one processor made of it |

Audio format, sample rate, class names and processors are the dataset's, in
its `dataset.json`. Files are TFRecord, uncompressed.
"""

from collections.abc import Sequence

import tensorflow as tf

VERSION = 1
VERSION_KEY = "version"
CLIP_ID = "clip/id"
SOURCE = "clip/source"
START_S = "clip/start_s"
LABELS = "clip/labels"
AUDIO = "audio/encoded"
NUM_SAMPLES = "audio/num_samples"
STEMS = "stems/encoded"
STEM_NAMES = "stems/names"


def channels_key(processor: str) -> str:
    return f"channels/{processor}"


def serialize(
    clip_id: str,
    source: str,
    start_s: float,
    labels: Sequence[int],
    audio: bytes,
    num_samples: int,
    stems: Sequence[bytes] = (),
    stem_names: Sequence[str] = (),
) -> bytes:
    """One clip, its sounds encoded, as the bytes of a `tf.train.Example`."""
    feature = {
        VERSION_KEY: _int64([VERSION]),
        CLIP_ID: _bytes([clip_id.encode()]),
        SOURCE: _bytes([source.encode()]),
        START_S: tf.train.Feature(
            float_list=tf.train.FloatList(value=[start_s])
        ),
        LABELS: _int64(sorted(labels)),
        AUDIO: _bytes([audio]),
        NUM_SAMPLES: _int64([num_samples]),
    }
    if stems:
        feature[STEMS] = _bytes(stems)
        feature[STEM_NAMES] = _bytes([name.encode() for name in stem_names])
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    return example.SerializeToString(deterministic=True)


def with_channels(
    serialized: bytes, channels: dict[str, Sequence[bytes]]
) -> bytes:
    """The same example with each processor's encoded channels added."""
    example = tf.train.Example.FromString(serialized)
    for processor, encoded in channels.items():
        key = channels_key(processor)
        example.features.feature[key].CopyFrom(_bytes(encoded))
    return example.SerializeToString(deterministic=True)


def without_labels(serialized: bytes) -> bytes:
    """The same example, as if its clip had no label."""
    example = tf.train.Example.FromString(serialized)
    example.features.feature[LABELS].Clear()
    return example.SerializeToString(deterministic=True)


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


def _bytes(values: Sequence[bytes]) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _int64(values: Sequence[int]) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
