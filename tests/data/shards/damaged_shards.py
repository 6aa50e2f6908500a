"""Shards, and damage done to them."""

import pathlib

import numpy as np

from data.shards.dataset_info import DatasetInfo
from data.shards.record_index import RecordIndex

# Of different lengths.
CLIPS = [np.full(10 + 3 * k, k / 64, "f4") for k in range(11)]
NAMES = [f"clip{k}" for k in range(11)]
# Clip k is in shard k mod 3; see the fixture `info`.
STORED = [f"clip{k}" for first in range(3) for k in range(first, 11, 3)]


def index_of(info: DatasetInfo) -> RecordIndex:
    return RecordIndex.of(info, [*info.splits])


def flip(file: pathlib.Path, byte: int, bit: int = 0) -> None:
    content = bytearray(file.read_bytes())
    content[byte] ^= 1 << bit
    file.write_bytes(content)


def cut(file: pathlib.Path, size: int) -> None:
    file.write_bytes(file.read_bytes()[:size])
