"""One pass over a shard: counts, ids, and the clips of a sample."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from data.inspection.split_statistics import SplitStatistics
from data.shards import bad_records, record_check, stored_clip
from data.shards.dataset_info import Shard
from data.shards.record_index import RecordIndex
from data.shards.record_reader import examples_in_order


@dataclasses.dataclass(frozen=True)
class InspectTask:
    """One shard to look at.

    Attributes:
      index: of its records.
      split: its split.
      sampled: which of its usable clips are wanted, counted from 0.
      silence_db: as of `SplitStatistics`.
    """

    index: RecordIndex
    split: str
    sampled: frozenset[int]
    silence_db: float

    @property
    def shard(self) -> Shard:
        [shard] = self.index.shards
        return shard


@dataclasses.dataclass(frozen=True, eq=False)
class ShardInspection:
    """What was seen.

    Attributes:
      statistics: of the clips.
      id_hashes: (clips,) uint64, of the clips' ids.
      sample: records of the clips wanted.
    """

    statistics: SplitStatistics
    id_hashes: np.ndarray
    sample: tuple[bytes, ...]


def inspect(task: InspectTask) -> ShardInspection:
    """Reads the shard of a task once, clip by clip."""
    info = task.index.info
    statistics = SplitStatistics(info, task.silence_db)
    hashes, sample = [], []
    records = usable_records(task.index, statistics.add_bad_record)
    for position, record in enumerate(records):
        clip = stored_clip.read(record, info, channels=True)
        statistics.add(clip)
        hashes.append(id_hash(clip.clip_id))
        if position in task.sampled:
            sample.append(record)
    return ShardInspection(
        statistics, np.array(hashes, np.uint64), tuple(sample)
    )


def usable_records(
    index: RecordIndex, on_bad: Callable[[str], None] | None = None
) -> Iterator[bytes]:
    """Records of a shard as stored; `on_bad` gets the cause of the others."""

    def on_failed(numbers: list[int]) -> None:
        if on_bad:
            for row in bad_records.examine(index, numbers):
                on_bad(row.cause)

    for record in examples_in_order(index, tf.identity, on_failed):
        fault = record_check.find_fault(record, index.info)
        if not fault:
            yield record
        elif on_bad:
            on_bad(fault[0])


def id_hash(clip_id: str) -> int:
    """64 bits: among 10 million ids, two agree by chance once in 400 000."""
    digest = hashlib.blake2b(clip_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
