"""Records that cannot be read: why, and `bad_records.csv`, their list."""

import collections
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging
from google.protobuf.message import DecodeError

from data.run import csv_table
from data.run.errors import UserError
from data.shards import example_schema, record_check
from data.shards.example_message import Example
from data.shards.record_index import RecordIndex, file_size
from data.shards.record_reader import read_record
from data.shards.shard_offsets import FRAME_BYTES, HEADER_BYTES

BAD_RECORDS_FILE = "bad_records.csv"
# The cause where a record can be read now: it was repaired, or storage fails
# now and then.
PASSING = "passing"


class BadRecord(NamedTuple):
    """A line of the list.

    Attributes:
      shard: file name.
      record: which one of the shard, from 0.
      offset: byte at which it starts; "" where that is not known.
      clip_id: "" where it is not known.
      cause: one word to count by.
      reason: what was found.
    """

    shard: str
    record: int
    offset: int | str
    clip_id: str
    cause: str
    reason: str


def examine(index: RecordIndex, numbers: Iterable[int]) -> list[BadRecord]:
    """Reads records again, alone, to tell what is wrong with each."""
    return [
        BadRecord(
            *index.place(number),
            int(index.offset_of[number]) if index.size_of[number] else "",
            clip_id(index, number),
            *_diagnose(index, number),
        )
        for number in numbers
    ]


def _diagnose(index: RecordIndex, number: int) -> tuple[str, str]:
    """Cause, of these or of those of `record_check`, and reason."""
    has = file_size(index.file_of(number))
    if has < 0:
        return "missing_file", "the shard is not there"
    wanted = index.shards[index.shard_of[number]].num_bytes
    end = index.offset_of[number] + max(index.size_of[number], 1)
    if end > has and has < wanted:
        return "truncated", f"the shard has {has} bytes, not {wanted}"
    if not index.size_of[number]:
        return "checksum", "its length or one before it is damaged"
    try:
        record = read_record(index, number)
    except tf.errors.DataLossError:
        return "checksum", "its bytes are not those written"
    except tf.errors.OpError as error:
        # No permission, for example.
        return "unreadable", type(error).__name__
    fault = record_check.find_fault(record, index.info)
    return fault or (PASSING, "it can be read now")


def clip_id(index: RecordIndex, number: int) -> str:
    """The id that a record bears, though it may be damaged."""
    try:
        with index.file_of(number).open("rb") as stream:
            stream.seek(index.offset_of[number] + HEADER_BYTES)
            content = stream.read(max(0, index.size_of[number] - FRAME_BYTES))
        feature = Example.FromString(content).features.feature
        [name] = feature[example_schema.CLIP_ID].bytes_list.value
        return name.decode()
    except (OSError, DecodeError, ValueError):
        return ""


class BadRecords:
    """The list of one job or training run; each record is in it once."""

    def __init__(
        self,
        folder: pathlib.Path,
        total: int,
        max_bad_fraction: float,
        flag: str = "--max_bad_fraction",
    ):
        """An empty list.

        Args:
          folder: where the file goes.
          total: number of clips, good and bad.
          max_bad_fraction: share of them that may be bad.
          flag: what the user calls that; empty: no flag of this stage.
        """
        self.file = folder / BAD_RECORDS_FILE
        self._total, self._limit, self._flag = total, max_bad_fraction, flag
        self._rows: dict[tuple[str, int], BadRecord] = {}
        self._others: list[BadRecord] = []

    @classmethod
    def of_run(
        cls, index: RecordIndex, folder: pathlib.Path, max_bad_fraction: float
    ) -> "BadRecords":
        """The list of a run that reads the records of `index`.

        What is not there is in it from the start, and so is what an earlier
        part of the run has listed and still cannot be read. What it has
        listed of other shards is kept and not counted.

        Raises:
          UserError: that is too much already.
        """
        records = cls(folder, len(index), max_bad_fraction)
        numbers = set(np.flatnonzero(~index.is_present).tolist())
        shard_number = {s.file: k for k, s in enumerate(index.shards)}
        for row in _listed(records.file):
            number = shard_number.get(row.shard)
            if number is None:
                records._others.append(row)
            elif row.record < index.shards[number].clips:
                numbers.add(int(index.first_of[number]) + row.record)
        found = examine(index, sorted(numbers))
        records.add(row for row in found if row.cause != PASSING)
        records.save()
        return records

    def __len__(self) -> int:
        return len(self._rows)

    def add_failed(self, index: RecordIndex, numbers: Iterable[int]) -> None:
        """Takes records that could not be used, and finds out why.

        Raises:
          UserError: see `add`.
        """
        unknown = [
            number
            for number in sorted(set(numbers))
            if index.place(number) not in self._rows
        ]
        self.add(examine(index, unknown))

    def add(self, rows: Iterable[BadRecord]) -> None:
        """Takes lines of the list.

        Raises:
          UserError: they are more than may be bad; the list is on disk.
        """
        before = len(self._rows)
        self._rows.update({_key(row): row for row in rows})
        bad = len(self._rows)
        if bad == before:
            return
        self.save()
        causes = sorted(row.cause for row in self._rows.values())
        counts = collections.Counter(causes).most_common()
        logging.warning(
            "%d of %d clips cannot be read (%s): see %s",
            bad,
            self._total,
            ", ".join(f"{count} {cause}" for cause, count in counts),
            self.file,
        )
        if bad <= self._limit * self._total:
            return
        cause, count = counts[0]
        row = next(r for r in self._rows.values() if r.cause == cause)
        allowed, remedy = f"{self._limit:g} of them", ""
        if self._flag:
            allowed = f"{self._flag}={self._limit:g} allows"
            remedy = f" or raise {self._flag}"
        raise UserError(
            f"{bad} of {self._total} clips cannot be read "
            f"({bad / self._total:.2g}), more than {allowed}; {count} are "
            f"{cause}, as record {row.record} of {row.shard}: {row.reason}. "
            f"All are listed in {self.file}; write those shards again{remedy}"
        )

    def save(self) -> None:
        """Writes the file; without bad records there is none."""
        rows = sorted([*self._rows.values(), *self._others], key=_key)
        if rows:
            csv_table.write(self.file, [BadRecord._fields, *rows])
        else:
            self.file.unlink(missing_ok=True)


def _key(row: BadRecord) -> tuple[str, int]:
    return row.shard, row.record


def _listed(file: pathlib.Path) -> list[BadRecord]:
    """The lines of an earlier list."""
    try:
        header, *rows = csv_table.rows_written(file) or [[]]
        named = (dict(zip(header, row, strict=True)) for row in rows)
        return [BadRecord(**{**n, "record": int(n["record"])}) for n in named]
    except (ValueError, KeyError, TypeError):
        return []
