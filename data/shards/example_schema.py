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

from data.shards.example_message import Example

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
    example = Example()
    feature = example.features.feature
    feature[VERSION_KEY].int64_list.value[:] = [VERSION]
    feature[CLIP_ID].bytes_list.value[:] = [clip_id.encode()]
    feature[SOURCE].bytes_list.value[:] = [source.encode()]
    feature[START_S].float_list.value[:] = [start_s]
    feature[LABELS].int64_list.value[:] = sorted(labels)
    feature[AUDIO].bytes_list.value[:] = [audio]
    feature[NUM_SAMPLES].int64_list.value[:] = [num_samples]
    if stems:
        names = [name.encode() for name in stem_names]
        feature[STEMS].bytes_list.value[:] = stems
        feature[STEM_NAMES].bytes_list.value[:] = names
    return example.SerializeToString(deterministic=True)


def with_channels(
    serialized: bytes, channels: dict[str, Sequence[bytes]]
) -> bytes:
    """The same example with each processor's encoded channels added."""
    example = Example.FromString(serialized)
    for processor, encoded in channels.items():
        key = channels_key(processor)
        example.features.feature[key].bytes_list.value[:] = encoded
    return example.SerializeToString(deterministic=True)


def without_labels(serialized: bytes) -> bytes:
    """The same example, as if its clip had no label."""
    example = Example.FromString(serialized)
    example.features.feature[LABELS].Clear()
    return example.SerializeToString(deterministic=True)
