"""`bad_records.csv`: what could not be read, listed and limited."""

import collections
import csv
import pathlib
from collections.abc import Iterable

import numpy as np
from absl import logging

from data.run import csv_table
from data.run.errors import UserError
from data.shards.bad_record import PASSING, BadRecord, examine
from data.shards.record_index import RecordIndex

BAD_RECORDS_FILE = "bad_records.csv"


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
        if len(self._rows) == before:
            return
        self.save()
        logging.warning(
            "%d of %d clips cannot be read (%s): see %s",
            len(self._rows),
            self._total,
            ", ".join(f"{n} {cause}" for cause, n in self.count().items()),
            self.file,
        )
        if len(self._rows) > self._limit * self._total:
            self._stop()

    def count(self) -> dict[str, int]:
        """Bad records of each cause, the most frequent first."""
        causes = collections.Counter(row.cause for row in self._rows.values())
        return dict(sorted(causes.items(), key=lambda item: (-item[1], item)))

    def save(self) -> None:
        """Writes the file; without bad records there is none."""
        rows = sorted([*self._rows.values(), *self._others], key=_key)
        if not rows:
            self.file.unlink(missing_ok=True)
            return
        csv_table.write(self.file, [BadRecord._fields, *rows])

    def _stop(self) -> None:
        bad = len(self._rows)
        cause, count = next(iter(self.count().items()))
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


def _key(row: BadRecord) -> tuple[str, int]:
    return row.shard, row.record


def _listed(file: pathlib.Path) -> list[BadRecord]:
    """The lines of an earlier list."""
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            return [
                BadRecord(**{**row, "record": int(row["record"])})
                for row in csv.DictReader(stream)
            ]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return []
