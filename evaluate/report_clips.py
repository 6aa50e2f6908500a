"""Clips of the evaluation splits: their labels, and the audio of a few."""

import dataclasses
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import tensorflow as tf

from data import audio_codec, example_schema
from data.dataset_info import DatasetInfo
from data.record_reader import read_in_order
from data.user_error import UserError


@dataclasses.dataclass(frozen=True)
class ClipText:
    """What is written about a clip."""

    clip_id: str
    labels: tuple[str, ...]
    seconds: float


@dataclasses.dataclass(frozen=True)
class ClipSound:
    """What can be heard of a clip; arrays are float32 in [-1, 1).

    Attributes:
      mixture: (T,).
      channels: processor to its channels, each (T,).
      stems: name and (T,) of each true source; empty without stems.
    """

    mixture: np.ndarray
    channels: dict[str, tuple[np.ndarray, ...]]
    stems: tuple[tuple[str, np.ndarray], ...]


def read_texts(info: DatasetInfo, splits: Sequence[str]) -> list[ClipText]:
    """Every clip of the splits, in the order of the shards.

    Raises:
      UserError: a shard is damaged.
    """
    texts = []
    records = read_in_order(info, splits).map(example_schema.parse)
    for record in _undamaged(records.as_numpy_iterator(), info):
        samples = int(record[example_schema.NUM_SAMPLES])
        texts.append(
            ClipText(
                _text(record[example_schema.CLIP_ID]),
                tuple(
                    info.class_names[label]
                    for label in record[example_schema.LABELS]
                ),
                samples / info.sample_rate_hz,
            )
        )
    return texts


def read_sounds(
    info: DatasetInfo,
    splits: Sequence[str],
    positions: Collection[int],
    parts: bool = False,
) -> Iterator[tuple[int, ClipSound]]:
    """Decodes the clips at `positions`, in the order of the shards.

    Args:
      info: the dataset.
      splits: names of its splits.
      positions: clips wanted, as indices into `read_texts`.
      parts: whether channels and stems are wanted too.

    Yields:
      Position and sound of one clip after the other: all together may not
      fit into memory.
    """
    processors = info.processors if parts else ()
    stems = info.has_stems and parts

    def decode(encoded: bytes) -> np.ndarray:
        return audio_codec.decode(encoded, info.audio_format).numpy()

    if not positions:
        return
    for position, serialized in enumerate(read_in_order(info, splits)):
        if position not in positions:
            continue
        record = example_schema.parse(
            serialized, processors, info.num_channels, stems
        )
        sound = ClipSound(
            decode(record[example_schema.AUDIO]),
            {
                processor: tuple(
                    decode(encoded)
                    for encoded in record[
                        example_schema.channels_key(processor)
                    ]
                )
                for processor in processors
            },
            tuple(
                (_text(name.numpy()), decode(encoded))
                for name, encoded in zip(
                    record[example_schema.STEM_NAMES],
                    record[example_schema.STEMS],
                    strict=True,
                )
            )
            if stems
            else (),
        )
        yield position, sound


def _undamaged(records: Iterator[dict], info: DatasetInfo) -> Iterator[dict]:
    try:
        yield from records
    except tf.errors.DataLossError as error:
        raise UserError(
            f"a shard of {info.folder} is damaged: write the shards again"
        ) from error


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="backslashreplace")
