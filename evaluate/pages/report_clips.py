"""Clips of the evaluation splits: their labels, and the audio of a few."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import tensorflow as tf

from data.shards import example_schema, record_check, stored_clip
from data.shards.dataset_info import DatasetInfo
from data.shards.record_index import RecordIndex
from data.shards.record_reader import examples_in_order, read_record
from data.shards.stored_clip import StoredClip
from evaluate.embeddings.clip_embeddings import decode_clip


@dataclasses.dataclass(frozen=True)
class ClipText:
    """What is written about a clip."""

    clip_id: str
    labels: tuple[str, ...]
    seconds: float


class ReportClips:
    """The clips of some splits, in the order of the shards.

    Records that cannot be used are left out, as when they are embedded.

    Args:
      info: the dataset.
      splits: names of its splits.

    Attributes:
      texts: one for each clip.
      num_bad: how many records were left out.

    Raises:
      UserError: no record can be read.
    """

    def __init__(self, info: DatasetInfo, splits: Sequence[str]):
        self._index = RecordIndex.of(info, splits)
        failed: list[int] = []

        def to_text(record):
            clip, audio = decode_clip(record, info)
            return (
                clip[example_schema.CLIP_ID],
                clip[example_schema.LABELS],
                tf.size(audio),
            )

        self.texts = tuple(
            ClipText(
                clip_id.decode("utf-8", errors="backslashreplace"),
                tuple(info.class_names[label] for label in labels),
                int(num_samples) / info.sample_rate_hz,
            )
            for clip_id, labels, num_samples in examples_in_order(
                self._index, to_text, failed.extend
            )
        )
        self.num_bad = len(failed)
        left_out = set(failed)
        self._numbers = [
            number
            for number in range(len(self._index))
            if number not in left_out
        ]

    def read(
        self, positions: Iterable[int], parts: bool = False
    ) -> Iterator[tuple[int, StoredClip]]:
        """Decodes the clips at `positions`, in that order.

        Args:
          positions: clips wanted, as indices into `texts`.
          parts: whether channels and stems are wanted too; clips where these
            cannot be used are passed over then.

        Yields:
          Position and clip, one after the other: all together may not fit
          into memory.
        """
        info = self._index.info
        for position in positions:
            record = read_record(self._index, self._numbers[position])
            if parts and record_check.find_fault(record, info):
                continue
            yield position, stored_clip.read(record, info, parts, parts)
