"""`recordings.csv`: what the shards of a folder are made of, by content."""

import pathlib
from collections.abc import Sequence

from data.run import csv_table
from data.run.csv_table import printable
from data.run.errors import UserError
from data.sources.label_table import LABEL_SEPARATOR
from data.sources.recording_files import Recording

RECORDINGS_FILE = "recordings.csv"
_COLUMNS = ("file", "start_s", "sha256", "split", "labels")
_SHOWN = 3


def write(folder: pathlib.Path, recordings: Sequence[Recording]) -> None:
    """Writes a row for each recording, or segment of one."""
    rows = [(*key, *row) for key, row in _rows(recordings).items()]
    csv_table.write(folder / RECORDINGS_FILE, [_COLUMNS, *rows])


def changes(folder: pathlib.Path, recordings: Sequence[Recording]) -> str:
    """What is different from what was written; "" for nothing.

    Counts and first names of what was added, removed, has other sound, or
    other labels or another split.
    """
    old = {(file, start): row for _, file, start, *row in _read(folder)}
    if not old:
        return ""
    new = _rows(recordings)
    both = [key for key in new if key in old]
    found = {
        "added": [key for key in new if key not in old],
        "removed": [key for key in old if key not in new],
        "with other sound": [k for k in both if old[k][0] != new[k][0]],
        "with other labels or split": [
            k for k in both if old[k][1:] != new[k][1:]
        ],
    }
    return "; ".join(
        f"{len(keys)} {what} ({', '.join(file for file, _ in keys[:_SHOWN])}"
        + (", ...)" if len(keys) > _SHOWN else ")")
        for what, keys in found.items()
        if keys
    )


def files(folder: pathlib.Path) -> set[str]:
    """Names of the files that were written."""
    return {file for _, file, *_ in _read(folder)}


def _read(folder: pathlib.Path) -> list[tuple]:
    try:
        table = csv_table.read(folder / RECORDINGS_FILE)
    except UserError:  # Another version wrote the folder, or it is damaged.
        return []
    return list(table.rows(*_COLUMNS))


def _rows(recordings: Sequence[Recording]) -> dict[tuple, list[str]]:
    """(file, start) → digest, split and labels, as cells."""
    return {
        (r.name, f"{r.segment.start_s:g}" if r.segment else ""): [
            r.digest,
            r.split,
            printable(LABEL_SEPARATOR.join(r.labels)),
        ]
        for r in recordings
    }
