"""Cuts recordings into clips, draws splits, and deals clips to shards."""

import dataclasses
import hashlib
import os
from collections.abc import Hashable, Sequence
from typing import TypeVar

import numpy as np

from data.sources.manifest import EVAL, TRAIN
from data.sources.recording_files import Recording

ItemT = TypeVar("ItemT", bound=Hashable)


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
    def clip_id(self) -> str:
        name = self.recording.name
        return name if self.is_whole else f"{name}#{self.start_s:.3f}"


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
    while True:
        next_s = start_s + len(starts) * hop_seconds
        reached_end = starts[-1] + clip_seconds >= end_s
        if reached_end or end_s - next_s < min_seconds:
            break
        starts.append(next_s)
    is_whole = starts == [0.0]
    # The length of a whole file may be an estimate; a segment's end is not.
    longest = [
        min(clip_seconds, end_s - clip_start_s)
        if recording.segment
        else clip_seconds
        for clip_start_s in starts
    ]
    return [
        ClipPlan(recording, clip_start_s, seconds, is_whole)
        for clip_start_s, seconds in zip(starts, longest, strict=True)
    ]


def draw_splits(
    names: Sequence[str], eval_fraction: float, seed: int
) -> list[str]:
    """Draws "train" or "eval" for each name by a hash of it and the seed.

    The share is exact up to rounding, with one at least on both sides where
    there are two and the fraction is neither 0 nor 1 (our choice).
    """
    count = round(eval_fraction * len(names))
    if 0 < eval_fraction < 1 and len(names) > 1:
        count = min(max(count, 1), len(names) - 1)
    ranked = sorted(names, key=lambda name: _hash(seed, name))
    held_out = set(ranked[:count])
    return [EVAL if name in held_out else TRAIN for name in names]


def shuffled(items: Sequence[ItemT], seed: int, split: str) -> list[ItemT]:
    """The items of a split in an order drawn by the seed."""
    order = np.random.default_rng([seed, *split.encode()])
    return [items[k] for k in order.permutation(len(items))]


def deal(
    items: Sequence[ItemT], split: str, items_per_shard: int
) -> list[tuple[str, tuple[ItemT, ...]]]:
    """Shard names with their items; sizes differ by one at most.

    Returns:
      ("<split>-00000-of-00004.tfrecord", items) of each shard; no shard for
      no items.
    """
    total = -(-len(items) // items_per_shard)
    dealt = []
    for number in range(total):
        first = len(items) * number // total
        end = len(items) * (number + 1) // total
        name = f"{split}-{number:05d}-of-{total:05d}.tfrecord"
        dealt.append((name, tuple(items[first:end])))
    return dealt


def _hash(seed: int, name: str) -> bytes:
    key = str(seed).encode() + b"/" + os.fsencode(name)
    return hashlib.blake2b(key, digest_size=16).digest()
