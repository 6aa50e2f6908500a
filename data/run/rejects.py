"""Inputs that a job leaves out: counted, listed, and limited in number."""

import collections
import pathlib
from collections.abc import Iterable, Sequence

from data.run import csv_table
from data.run.errors import UserError

REJECTS_FILE = "rejects.csv"

# Share of unreadable clips past which the stages after ingest stop (ours).
MAX_BAD_FRACTION = 0.01

Reject = tuple[str, str, str]
"""File, kind (one word to count by), reason (value found and remedy)."""


class Rejected(ValueError):
    """An input that cannot be used.

    Attributes:
      kind: one word to count by, e.g. "silent".
      reason: the value found and the remedy.
    """

    def __init__(self, kind: str, reason: str):
        super().__init__(kind, reason)
        self.kind, self.reason = kind, reason

    def __str__(self) -> str:
        return self.reason


class RejectLimit:
    """Stops a job whose input is mostly bad, with the list on disk."""

    def __init__(
        self, folder: pathlib.Path, total: int, max_bad_fraction: float
    ):
        """`total` is the number of inputs, good and bad."""
        self.rejects: list[Reject] = []
        self._folder, self._total, self._limit = folder, total, max_bad_fraction

    def add(self, rejects: Iterable[Sequence[str]]) -> None:
        """Takes more rejects.

        Raises:
          UserError: they are more than `max_bad_fraction` of all inputs.
        """
        self.rejects.extend(tuple(reject) for reject in rejects)
        bad = len(self.rejects)
        if bad > self._limit * self._total:
            kinds = count_kinds(self.rejects)
            kind = max(kinds, key=kinds.get)
            file, _, reason = next(r for r in self.rejects if r[1] == kind)
            write(self._folder, self.rejects)
            raise UserError(
                f"{bad} of {self._total} inputs are bad, more than "
                f"--max_bad_fraction={self._limit:g} allows; {kinds[kind]} "
                f"are {kind}, as {file}: {reason}. All are listed in "
                f"{self._folder / REJECTS_FILE}"
            )


def count_kinds(rejects: Iterable[Reject]) -> dict[str, int]:
    counts = collections.Counter(kind for _, kind, _ in rejects)
    return dict(sorted(counts.items()))


def write(folder: pathlib.Path, rejects: Iterable[Reject]) -> None:
    """Writes `rejects.csv` with the columns file, kind, reason, sorted."""
    header = "file", "kind", "reason"
    csv_table.write(folder / REJECTS_FILE, [header, *sorted(rejects)])
