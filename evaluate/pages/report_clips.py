"""Clips of the evaluation splits: their labels, and the sounds of a few."""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from data.page.sound import Example, Sound, SoundBundle, make_example
from data.shards import record_check, stored_clip
from data.shards.dataset_info import DatasetInfo
from data.shards.record_index import RecordIndex
from data.shards.record_reader import examples_in_order, read_record
from data.shards.stored_clip import StoredClip
from evaluate.embeddings.clip_embeddings import decode_clip

_SMALL_FRAMES = 180


class ReportClips:
    """The clips of some splits, in the order of the shards.

    Records that cannot be used are left out, as when they are embedded.
    Positions are those in `ids`.

    Args:
      max_bytes: room for sounds.

    Attributes:
      ids: of the clips.
      labels: class names of each.
      num_bad: how many records were left out.
      bundle: sounds of clips, each under its `key`.

    Raises:
      UserError: no record can be read.
    """

    def __init__(
        self, info: DatasetInfo, splits: Sequence[str], max_bytes: int
    ):
        self._index = RecordIndex.of(info, splits)
        failed: list[int] = []

        def read_checked(record):
            clip_id, labels, audio = decode_clip(record, info)
            # Audio that nobody asks for, TensorFlow would not decode.
            return clip_id, labels, tf.size(audio)

        self.ids: list[str] = []
        self.labels: list[tuple[str, ...]] = []
        for clip_id, labels, _ in examples_in_order(
            self._index, read_checked, failed.extend
        ):
            self.ids.append(clip_id.decode("utf-8", errors="backslashreplace"))
            self.labels.append(tuple(info.class_names[k] for k in labels))
        self.num_bad = len(failed)
        self._numbers = np.delete(np.arange(len(self._index)), failed)
        self.bundle = SoundBundle(info.sample_rate_hz, max_bytes)

    def examples(self, positions: Sequence[int]) -> list[Example]:
        """Mixtures with their channels and stems, each on one color scale.

        Clips whose channels or stems cannot be used are passed over.
        """
        return [
            make_example(clip, self.key(position), self.bundle)
            for position, clip in self._read(sorted(positions), parts=True)
        ]

    def small_sounds(self, positions: Sequence[int]) -> dict[int, Sound]:
        """Small spectrograms of whole clips, each on its own color scale."""
        return {
            position: self.bundle.sound(
                self.key(position),
                clip.clip_id,
                clip.clip_id,
                clip.mixture,
                _SMALL_FRAMES,
            )
            for position, clip in self._read(positions)
        }

    def add_until_full(self, positions: Sequence[int]) -> None:
        """Bundles clips as long as there is room, in this order."""
        encoded = self.bundle.encoded
        missing = [p for p in positions if self.key(p) not in encoded]
        for position, clip in self._read(missing):
            if self.bundle.add(self.key(position), clip.mixture) is None:
                return

    def key(self, position: int) -> str:
        """What a clip's sound has in the bundle."""
        return f"clip{position}"

    def _read(
        self, positions: Sequence[int], parts: bool = False
    ) -> Iterator[tuple[int, StoredClip]]:
        """One after the other: all together may not fit into memory."""
        info = self._index.info
        for position in positions:
            record = read_record(self._index, self._numbers[position])
            if parts and record_check.find_fault(record, info):
                continue
            yield position, stored_clip.read(record, info, parts, parts)


def choose_examples(
    labels: Sequence[tuple[str, ...]], count: int, seed: int
) -> list[int]:
    """Draws `count` clips; those with two labels or more come first."""
    order = np.random.default_rng(seed).permutation(len(labels)).tolist()
    return sorted(order, key=lambda i: len(labels[i]) < 2)[:count]
