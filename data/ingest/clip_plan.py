"""Cuts recordings into clips, draws splits, and deals clips to shards."""

import dataclasses
import hashlib
import itertools
import math
import os
from collections.abc import Sequence

import numpy as np

from data.sources.recording_files import Recording


@dataclasses.dataclass(frozen=True, slots=True)
class ClipPlan:
    """A clip to be read.

    Attributes:
      recording: what it is cut from.
      start_s: where it starts in the file.
      seconds: how long it is at most; shorter where the file ends.
      is_whole: whether it is all that is taken, and starts the file.
    """

    recording: Recording
    start_s: float
    seconds: float
    is_whole: bool

    @property
    def source(self) -> str:
        return self.recording.name

    @property
    def clip_id(self) -> str:
        at = "" if self.is_whole else f"#{self.start_s:.3f}"
        return self.source + at


@dataclasses.dataclass(frozen=True, slots=True)
class ScenePlan:
    """A synthetic scene to be made.

    Attributes:
      number: in the collection.
      is_labeled: whether it keeps its labels.
    """

    number: int
    is_labeled: bool = True

    start_s = 0.0
    is_whole = True

    @property
    def clip_id(self) -> str:
        return f"scene-{self.number:07d}"

    source = clip_id


def cut(
    recording: Recording,
    start_s: float,
    end_s: float,
    clip_seconds: float,
    hop_seconds: float,
    min_seconds: float,
) -> list[ClipPlan]:
    """Clips of a recording, or of a part of it, of `min_seconds` or more.

    A clip starts every `hop_seconds`, up to the one that reaches the end;
    that one is shorter than `clip_seconds`, and left out below `min_seconds`.
    """
    starts = [start_s]
    while starts[-1] + clip_seconds < end_s:
        next_s = start_s + len(starts) * hop_seconds
        if end_s - next_s < min_seconds:
            break
        starts.append(next_s)
    is_whole = starts == [0.0]
    # The length of a whole file may be an estimate; a segment's end is not.
    limit_s = end_s if recording.segment else math.inf
    return [
        ClipPlan(recording, start, min(clip_seconds, limit_s - start), is_whole)
        for start in starts
    ]


def held_out(names: Sequence[str], fraction: float, seed: int) -> set[str]:
    """Draws a share of the names by a hash of each and the seed.

    The share is exact up to rounding, with one at least on both sides where
    there are two and the fraction is neither 0 nor 1 (our choice).
    """

    def hashed(name: str) -> bytes:
        key = str(seed).encode() + b"/" + os.fsencode(name)
        return hashlib.blake2b(key, digest_size=16).digest()

    count = round(fraction * len(names))
    if 0 < fraction < 1 and len(names) > 1:
        count = min(max(count, 1), len(names) - 1)
    return set(sorted(names, key=hashed)[:count])


def shuffled(items: Sequence, seed: int, split: str) -> list:
    """The items of a split in an order drawn by the seed."""
    order = np.random.default_rng([seed, *split.encode()])
    return [items[k] for k in order.permutation(len(items))]


def deal(
    items: Sequence, split: str, items_per_shard: int
) -> list[tuple[str, tuple]]:
    """Shard names with their items; sizes differ by one at most.

    Returns:
      ("<split>-00000-of-00004.tfrecord", items) of each shard; no shard for
      no items.
    """
    total = -(-len(items) // items_per_shard)
    starts = [len(items) * k // total for k in range(total)] + [len(items)]
    return [
        (f"{split}-{k:05d}-of-{total:05d}.tfrecord", tuple(items[first:end]))
        for k, (first, end) in enumerate(itertools.pairwise(starts))
    ]
