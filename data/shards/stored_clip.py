"""A record of a shard, decoded outside of the graph: to look at, not train."""

import dataclasses

import numpy as np

from data.audio import codec
from data.audio.encoding import FULL_SCALE
from data.shards import example_schema
from data.shards.dataset_info import DatasetInfo
from data.shards.example_message import Example


@dataclasses.dataclass(frozen=True, eq=False)
class StoredClip:
    """What is known of a clip; audio is float32 in [-1, 1).

    Attributes:
      clip_id: its name.
      labels: names of its classes.
      mixture: (T,).
      channels: processor to its channels, each (T,); empty where not wanted.
      stems: name and (T,) of each true source; empty without stems.
    """

    clip_id: str
    labels: tuple[str, ...]
    mixture: np.ndarray
    channels: dict[str, tuple[np.ndarray, ...]]
    stems: tuple[tuple[str, np.ndarray], ...]


def read(
    serialized: bytes,
    info: DatasetInfo,
    channels: bool = False,
    stems: bool = False,
) -> StoredClip:
    """Decodes one record without a fault (see `record_check.find_fault`).

    Args:
      serialized: the record.
      info: the dataset that it is of.
      channels: whether its channels are wanted.
      stems: whether its stems are.
    """
    features = Example.FromString(serialized).features.feature

    def texts(key: str) -> list[str]:
        values = features[key].bytes_list.value
        return [v.decode("utf-8", errors="backslashreplace") for v in values]

    def sounds(key: str) -> tuple[np.ndarray, ...]:
        return tuple(
            codec.decode_bytes(encoded, info.audio_format).astype("f4")
            / FULL_SCALE
            for encoded in features[key].bytes_list.value
        )

    [clip_id] = texts(example_schema.CLIP_ID)
    [mixture] = sounds(example_schema.AUDIO)
    labels = features[example_schema.LABELS].int64_list.value
    names = texts(example_schema.STEM_NAMES) if stems else ()
    sources = sounds(example_schema.STEMS) if stems else ()
    return StoredClip(
        clip_id,
        tuple(info.class_names[label] for label in labels),
        mixture,
        {
            processor: sounds(example_schema.channels_key(processor))
            for processor in (info.processors if channels else ())
        },
        tuple(zip(names, sources, strict=True)),
    )
