"""What is in a folder of shards, read from every clip."""

import collections
import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np

from data.inspection import shard_scan
from data.inspection.shard_scan import (
    InspectTask,
    ShardInspection,
    id_hash,
    usable_records,
)
from data.inspection.split_statistics import SplitStatistics
from data.jobs.decoder_pool import DecoderPool
from data.run.progress import Progress
from data.shards import stored_clip
from data.shards.dataset_info import DatasetInfo
from data.shards.record_index import RecordIndex

# More are counted, not named.
_NAMED_DUPLICATES = 20


@dataclasses.dataclass(frozen=True, eq=False)
class Inspection:
    """What was found.

    Attributes:
      info: the dataset.
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
      info: the dataset.
      splits: names of its splits.
      sample: clips to draw, as many from each split.
      seed: of the drawing.
      silence_db: as of `SplitStatistics`.
      workers: processes; 0: one a core; 1: all inside this process.

    Raises:
      UserError: no record can be read, or a worker process died.
    """
    tasks = _tasks(info, splits, sample, seed, silence_db)
    found = {split: SplitStatistics(info, silence_db) for split in splits}
    hashes, drawn = [], []
    for task, seen in zip(tasks, _in_order(tasks, workers), strict=True):
        found[task.split].merge(seen.statistics)
        hashes.append(seen.id_hashes)
        drawn += [(task.split, record) for record in seen.sample]
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
    info: DatasetInfo,
    splits: Sequence[str],
    sample: int,
    seed: int,
    silence_db: float,
) -> list[InspectTask]:
    drawn = draw_clips(info, splits, sample, seed)
    index = RecordIndex.of(info, splits)
    tasks, number = [], 0
    for split in splits:
        start = 0
        for shard in info.splits[split]:
            inside = drawn[split] - start
            inside = inside[(inside >= 0) & (inside < shard.clips)]
            if shard.clips:
                tasks.append(
                    InspectTask(
                        index.of_shard(number),
                        split,
                        frozenset(inside.tolist()),
                        silence_db,
                    )
                )
            start += shard.clips
            number += 1
    return tasks


def _in_order(
    tasks: Sequence[InspectTask], workers: int
) -> Iterator[ShardInspection]:
    clips = sum(task.shard.clips for task in tasks)
    progress = Progress("inspect", clips, "clips")
    with DecoderPool(workers) as pool:
        if workers == 1:
            found = map(shard_scan.inspect, tasks)
        else:
            found = pool.map(
                (
                    f"shard {task.shard.file}",
                    functools.partial(shard_scan.inspect, task),
                )
                for task in tasks
            )
        for task, seen in zip(tasks, found, strict=True):
            progress.update(progress.done + task.shard.clips)
            yield seen
    progress.finish()


def _name(
    wanted: np.ndarray, tasks: Sequence[InspectTask], hashes: Sequence
) -> dict[str, tuple[str, ...]]:
    """The ids behind some hashes, with the split of each of their clips."""
    splits = collections.defaultdict(list)
    hashes_wanted = set(wanted.tolist())
    for task, of_shard in zip(tasks, hashes, strict=True):
        if not np.isin(of_shard, wanted).any():
            continue
        for record in usable_records(task.index):
            clip = stored_clip.read(record, task.index.info)
            if id_hash(clip.clip_id) in hashes_wanted:
                splits[clip.clip_id].append(task.split)
    return {clip_id: tuple(of_id) for clip_id, of_id in splits.items()}
