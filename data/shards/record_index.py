"""Where every record of some splits is, known before any of them is read."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Sequence

import numpy as np
from absl import logging

from data.run.errors import UserError
from data.shards import shard_offsets
from data.shards.dataset_info import DatasetInfo, Shard
from data.shards.record_header import FRAME_BYTES, HEADER_BYTES, read_length


@dataclasses.dataclass(frozen=True, eq=False)
class RecordIndex:
    """Places of N records, as many as `dataset.json` says.

    Which records there are never depends on what has happened to the files,
    so neither does the order in which they are read.

    Attributes:
      info: the dataset.
      shards: those of the splits, in order.
      file_bytes: (shards,) int64, sizes that the files have; -1: missing.
      shard_of: (N,) int64, each record's shard.
      offset_of: (N,) int64, the byte at which it starts; where that is not
        known, the end of the shard, and there is nothing to read.
      size_of: (N,) int64, its bytes with its frame; 0: not known where it is.
    """

    info: DatasetInfo
    shards: tuple[Shard, ...]
    file_bytes: np.ndarray
    shard_of: np.ndarray
    offset_of: np.ndarray
    size_of: np.ndarray

    @classmethod
    def of(cls, info: DatasetInfo, splits: Sequence[str]) -> "RecordIndex":
        """The index of some splits.

        Raises:
          UserError: a split is unknown, or no record of them is there.
        """
        index = cls.of_shards(info, info.shards_of(splits))
        if not len(index.present):
            raise UserError(
                f"{info.folder}: no record of {','.join(splits)} can be read; "
                "write the shards again"
            )
        return index

    @classmethod
    def of_shards(
        cls, info: DatasetInfo, shards: Sequence[Shard]
    ) -> "RecordIndex":
        """The index of some shards, whether they can be read or not."""
        known = shard_offsets.read(info)
        if known is None:
            logging.info(
                "%s has no %s: finding the records of %d shards",
                info.folder,
                shard_offsets.OFFSETS_FILE,
                len(shards),
            )
        file_bytes, offsets, sizes = [], [], []
        for shard in shards:
            file = info.folder / shard.file
            file_bytes.append(file_size(file))
            if known is None:
                offset_of, size_of = _find_records(file, shard)
            else:
                offset_of = known[shard.file]
                size_of = np.diff(offset_of, append=shard.num_bytes)
            offsets.append(offset_of)
            sizes.append(size_of)
        return cls(
            info,
            tuple(shards),
            np.array(file_bytes, np.int64),
            np.repeat(np.arange(len(shards)), [s.clips for s in shards]),
            np.concatenate(offsets),
            np.concatenate(sizes),
        )

    def __len__(self) -> int:
        return len(self.shard_of)

    @functools.cached_property
    def is_present(self) -> np.ndarray:
        """(N,) whether a record's bytes are there, right or wrong."""
        end = self.offset_of + self.size_of
        return (self.size_of > 0) & (end <= self.file_bytes[self.shard_of])

    @functools.cached_property
    def present(self) -> np.ndarray:
        """Records whose bytes are there: int64, ascending."""
        return np.flatnonzero(self.is_present)

    @functools.cached_property
    def first_of(self) -> np.ndarray:
        """(shards,) the first record of each shard."""
        clips = [shard.clips for shard in self.shards]
        return np.cumsum([0, *clips])[:-1]

    def of_shard(self, shard: int) -> "RecordIndex":
        """The index of one of the shards alone."""
        mine = slice(
            self.first_of[shard],
            self.first_of[shard] + self.shards[shard].clips,
        )
        return RecordIndex(
            self.info,
            (self.shards[shard],),
            self.file_bytes[shard : shard + 1],
            np.zeros_like(self.shard_of[mine]),
            self.offset_of[mine],
            self.size_of[mine],
        )

    def place(self, number: int) -> tuple[str, int]:
        """Shard of record `number`, and which one of the shard it is."""
        shard = self.shard_of[number]
        return self.shards[shard].file, int(number - self.first_of[shard])

    def file_of(self, number: int) -> pathlib.Path:
        return self.info.folder / self.shards[self.shard_of[number]].file


def file_size(file: pathlib.Path) -> int:
    """Bytes; -1 for a file that is missing."""
    try:
        return os.stat(file).st_size
    except OSError:
        return -1


def _find_records(
    file: pathlib.Path, shard: Shard
) -> tuple[np.ndarray, np.ndarray]:
    """Goes from header to header; what follows a damaged one has size 0."""
    offset_of = np.full(shard.clips, shard.num_bytes, np.int64)
    size_of = np.zeros(shard.clips, np.int64)
    try:
        stream = file.open("rb", buffering=0)
    except OSError:
        return offset_of, size_of
    with stream:
        start = 0
        for number in range(shard.clips):
            stream.seek(start)
            length = read_length(stream.read(HEADER_BYTES))
            if length is None:
                break
            end = start + length + FRAME_BYTES
            if end > shard.num_bytes:
                break
            offset_of[number], size_of[number] = start, end - start
            start = end
    return offset_of, size_of
