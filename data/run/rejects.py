"""Inputs that a job leaves out: counted, listed, and limited in number."""

import collections
import os
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
    bad: Sequence[Reject],
    total: int,
    max_bad_fraction: float,
    folder: pathlib.Path,
    left_out: Sequence[Reject] = (),
) -> None:
    """Stops a job whose input is mostly bad, with the list in `folder`.

    Args:
      bad: one for each input that is.
      total: number of inputs.
      max_bad_fraction: the most of them that may be.
      folder: takes the list.
      left_out: what to list; empty: `bad`.

    Raises:
      UserError: they are more than `max_bad_fraction` of `total` inputs.
    """
    if len(bad) > max_bad_fraction * total:
        kinds = count_kinds(bad)
        kind = max(kinds, key=kinds.get)
        file, _, reason = next(r for r in bad if r[1] == kind)
        write(folder, left_out or bad)
        raise UserError(
            f"{len(bad)} of {total} inputs are bad, more than "
            f"--max_bad_fraction={max_bad_fraction:g} allows; {kinds[kind]} "
            f"are {kind}, as {file}: {reason}. All are listed in "
            f"{folder / REJECTS_FILE}"
        )


def count_suffixes(files: Iterable[str]) -> list[tuple[str, int]]:
    """(suffix, count) of files, the most first."""
    counts = collections.Counter(
        os.path.splitext(file)[1].lower() or "no suffix" for file in files
    )
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def others_by_suffix(files: Iterable[str]) -> list[Reject]:
    """A row for each suffix of files that are no recordings."""
    first: dict[str, str] = {}
    for file in files:
        suffix = os.path.splitext(file)[1].lower()
        first.setdefault(suffix or "no suffix", file)
    return [
        (
            f"*{suffix}" if suffix.startswith(".") else suffix,
            "no_recording",
            f"no sound in {first[suffix]}"
            + (f" and {count - 1} more" if count > 1 else ""),
        )
        for suffix, count in count_suffixes(files)
    ]


def count_kinds(rejects: Iterable[Reject]) -> dict[str, int]:
    counts = collections.Counter(kind for _, kind, _ in rejects)
    return dict(sorted(counts.items()))


def write(folder: pathlib.Path, rejects: Iterable[Reject]) -> None:
    """Writes `rejects.csv` with the columns file, kind, reason, sorted."""
    header = "file", "kind", "reason"
    csv_table.write(folder / REJECTS_FILE, [header, *sorted(rejects)])
