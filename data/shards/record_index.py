"""Where every record of some splits is, known before any of them is read."""

import contextlib
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
from data.shards.shard_offsets import FRAME_BYTES, HEADER_BYTES


@dataclasses.dataclass(frozen=True, eq=False)
class RecordIndex:
    """Places of N records, as many as `dataset.json` says.

    Which records there are never depends on what has happened to the files,
    so neither does the order in which they are read.

    Attributes:
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
            places = [_find_records(info, shard) for shard in shards]
        else:
            places = [
                (known[s.file], np.diff(known[s.file], append=s.num_bytes))
                for s in shards
            ]
        offsets, sizes = zip(*places, strict=True)
        return cls(
            info,
            tuple(shards),
            np.array([file_size(info.folder / s.file) for s in shards]),
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
        first = self.first_of[shard]
        mine = slice(first, first + self.shards[shard].clips)
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
    info: DatasetInfo, shard: Shard
) -> tuple[np.ndarray, np.ndarray]:
    """Goes from length to length; what follows a damaged one is lost.

    A damaged length is noticed here where it leads past the end, else by
    TensorFlow, which checks the sums of all that it reads.
    """
    offset_of = np.full(shard.clips, shard.num_bytes, np.int64)
    size_of = np.zeros(shard.clips, np.int64)
    file, start = info.folder / shard.file, 0
    with contextlib.suppress(OSError), file.open("rb", buffering=0) as stream:
        for number in range(shard.clips):
            stream.seek(start)
            header = stream.read(HEADER_BYTES)
            end = start + int.from_bytes(header[:8], "little") + FRAME_BYTES
            if len(header) < HEADER_BYTES or end > shard.num_bytes:
                break
            offset_of[number], size_of[number] = start, end - start
            start = end
    return offset_of, size_of
