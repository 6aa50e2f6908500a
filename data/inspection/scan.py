"""What is in a folder of shards, read from every clip."""

import collections
import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from data.inspection.split_statistics import SplitStatistics
from data.jobs.decoder_pool import DecoderPool
from data.jobs.progress import Progress
from data.shards import bad_records, record_check, stored_clip
from data.shards.dataset_info import DatasetInfo
from data.shards.record_index import RecordIndex
from data.shards.record_reader import examples_in_order

# More are counted, not named.
_NAMED_DUPLICATES = 20


@dataclasses.dataclass(frozen=True, eq=False)
class Inspection:
    """What was found.

    Attributes:
      splits: what each split that was looked at is like.
      num_duplicates: ids that several clips have, in one split or in two.
      duplicates: the first of them, each with the splits of its clips.
      sample: split and record of the clips drawn.
    """

    info: DatasetInfo
    splits: dict[str, SplitStatistics]
    num_duplicates: int
    duplicates: dict[str, tuple[str, ...]]
    sample: tuple[tuple[str, bytes], ...]

    def as_json(self) -> dict:
        """All but the sample."""
        info = self.info
        return {
            "shards": str(info.folder),
            "sample_rate_hz": info.sample_rate_hz,
            "audio_format": info.audio_format,
            "class_names": info.class_names,
            "processors": info.processors,
            "num_channels": info.num_channels,
            "has_stems": info.has_stems,
            "splits": {
                split: {
                    "shards": len(info.splits[split]),
                    "num_bytes": sum(s.num_bytes for s in info.splits[split]),
                    **statistics.as_json(),
                }
                for split, statistics in self.splits.items()
            },
            "duplicate_ids": self.num_duplicates,
            "duplicates": self.duplicates,
        }


def inspect(
    info: DatasetInfo,
    splits: Sequence[str],
    sample: int,
    seed: int,
    silence_db: float,
    workers: int,
) -> Inspection:
    """Reads all clips of the splits once.

    Memory does not grow with their number, but for 32 bytes a clip: where it
    is, and by which ids that occur twice are found.

    Args:
      sample: clips to draw, as many from each split.
      silence_db: as of `SplitStatistics`.
      workers: processes; 0: one a core; 1: all inside this process.

    Raises:
      UserError: no record can be read, or a worker process died.
    """
    tasks = _tasks(info, splits, draw_clips(info, splits, sample, seed))
    items = [
        (
            f"shard {index.shards[0].file}",
            functools.partial(_inspect_shard, index, wanted, silence_db),
        )
        for _, index, wanted in tasks
    ]
    found = {split: SplitStatistics(info, silence_db) for split in splits}
    hashes, drawn = [], []
    progress = Progress("inspect", sum(len(t[1]) for t in tasks), "clips")
    with DecoderPool(workers) as pool:
        if workers == 1:
            done = (call() for _, call in items)
        else:
            done = pool.map(items)
        for (split, index, _), seen in zip(tasks, done, strict=True):
            statistics, of_shard, records = seen
            found[split].merge(statistics)
            hashes.append(of_shard)
            drawn += [(split, record) for record in records]
            progress.update(progress.done + len(index))
    progress.finish()
    values, counts = np.unique(np.concatenate(hashes), return_counts=True)
    several = values[counts > 1]
    return Inspection(
        info,
        found,
        len(several),
        _name(several[:_NAMED_DUPLICATES], tasks, hashes),
        tuple(drawn),
    )


def draw_clips(
    info: DatasetInfo, splits: Sequence[str], count: int, seed: int
) -> dict[str, np.ndarray]:
    """Positions in each split, ascending; about `count / splits` in each."""
    drawn = {}
    # Small splits first: what they lack falls to the others.
    sizes = {s: sum(shard.clips for shard in info.splits[s]) for s in splits}
    for left, split in enumerate(sorted(splits, key=sizes.get)):
        share = min(sizes[split], count // (len(splits) - left))
        count -= share
        random = np.random.default_rng([seed, splits.index(split)])
        places = random.choice(sizes[split], share, replace=False)
        drawn[split] = np.sort(places)
    return drawn


def _tasks(
    info: DatasetInfo, splits: Sequence[str], drawn: dict[str, np.ndarray]
) -> list[tuple[str, RecordIndex, np.ndarray]]:
    """Split, records, and places of drawn clips as seen from each shard."""
    index = RecordIndex.of(info, splits)
    tasks, number = [], 0
    for split in splits:
        start = 0
        for shard in info.splits[split]:
            if shard.clips:
                inside = drawn[split] - start
                tasks.append((split, index.of_shard(number), inside))
            start += shard.clips
            number += 1
    return tasks


def _inspect_shard(
    index: RecordIndex, wanted: np.ndarray, silence_db: float
) -> tuple[SplitStatistics, np.ndarray, list[bytes]]:
    """Reads a shard once, clip by clip.

    Returns:
      Statistics of its usable clips, hashes of their ids (clips,) uint64, and
      the records of those wanted, which are counted from 0.
    """
    statistics = SplitStatistics(index.info, silence_db)
    hashes, sample, causes = [], [], []
    for position, record in enumerate(_usable_records(index, causes)):
        clip = stored_clip.read(record, index.info, channels=True)
        statistics.add(clip)
        hashes.append(_id_hash(clip.clip_id))
        if position in wanted:
            sample.append(record)
    statistics.bad_records.update(causes)
    return statistics, np.array(hashes, np.uint64), sample


def _usable_records(index: RecordIndex, causes: list[str]) -> Iterator[bytes]:
    """Records of a shard as stored; `causes` gets those of the others."""
    failed: list[int] = []
    for record in examples_in_order(index, tf.identity, failed.extend):
        if fault := record_check.find_fault(record, index.info):
            causes.append(fault[0])
        else:
            yield record
    causes += [row.cause for row in bad_records.examine(index, failed)]


def _id_hash(clip_id: str) -> int:
    """64 bits: among 10 million ids, two agree by chance once in 400 000."""
    digest = hashlib.blake2b(clip_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _name(
    wanted: np.ndarray, tasks: Sequence[tuple], hashes: Sequence[np.ndarray]
) -> dict[str, tuple[str, ...]]:
    """The ids behind some hashes, with the split of each of their clips."""
    splits = collections.defaultdict(tuple)
    for (split, index, _), of_shard in zip(tasks, hashes, strict=True):
        if np.isin(of_shard, wanted).any():
            for record in _usable_records(index, []):
                clip_id = stored_clip.read(record, index.info).clip_id
                if _id_hash(clip_id) in wanted:
                    splits[clip_id] += (split,)
    return dict(splits)
