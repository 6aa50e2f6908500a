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


def check_share(
    rejects: Sequence[Reject],
    total: int,
    max_bad_fraction: float,
    folder: pathlib.Path,
) -> None:
    """Stops a job whose input is mostly bad, with the list in `folder`.

    Raises:
      UserError: they are more than `max_bad_fraction` of `total` inputs.
    """
    if len(rejects) > max_bad_fraction * total:
        kinds = count_kinds(rejects)
        kind = max(kinds, key=kinds.get)
        file, _, reason = next(r for r in rejects if r[1] == kind)
        write(folder, rejects)
        raise UserError(
            f"{len(rejects)} of {total} inputs are bad, more than "
            f"--max_bad_fraction={max_bad_fraction:g} allows; {kinds[kind]} "
            f"are {kind}, as {file}: {reason}. All are listed in "
            f"{folder / REJECTS_FILE}"
        )


def count_kinds(rejects: Iterable[Reject]) -> dict[str, int]:
    counts = collections.Counter(kind for _, kind, _ in rejects)
    return dict(sorted(counts.items()))


def write(folder: pathlib.Path, rejects: Iterable[Reject]) -> None:
    """Writes `rejects.csv` with the columns file, kind, reason, sorted."""
    header = "file", "kind", "reason"
    csv_table.write(folder / REJECTS_FILE, [header, *sorted(rejects)])
