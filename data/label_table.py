"""The CSV of labels: file name, labels, and optionally split or fold."""

import dataclasses
import os
import re
import warnings

from data.user_error import UserError

LABEL_SEPARATOR = ";"
SPLIT_COLUMN, FOLD_COLUMN = "split", "fold"

_SPLIT_NAME = re.compile(r"[A-Za-z0-9_]+")


@dataclasses.dataclass(frozen=True)
class LabelRow:
    """One row: `split` and `fold` are "" where the table has none."""

    line: int
    filename: str
    labels: tuple[str, ...]
    split: str
    fold: str


@dataclasses.dataclass(frozen=True)
class LabelTable:
    """A label CSV.

    Attributes:
      file: its path, for messages.
      rows: in file order.
      has_split, has_fold: whether it has these columns.
    """

    file: str
    rows: tuple[LabelRow, ...]
    has_split: bool
    has_fold: bool


def read(file: str, filename_column: str, label_column: str) -> LabelTable:
    """Reads a label CSV; a row with an empty label cell is unlabeled.

    Bytes that are not UTF-8 are kept as surrogates, as in file names, so
    that a name no encoding explains can still be matched.

    Raises:
      UserError: the file cannot be read, a column is missing, or a row is
        wrong; with the row's line.
    """
    import pandas  # Slow to import; not needed for --help.

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            table = pandas.read_csv(
                file,
                dtype=object,
                na_filter=False,
                index_col=False,  # Else surplus cells shift the columns.
                skip_blank_lines=False,
                encoding="utf-8-sig",
                encoding_errors="surrogateescape",
            )
    except FileNotFoundError as error:
        raise UserError(
            f"--labels={file} does not exist: is the path right?"
        ) from error
    except OSError as error:
        raise UserError(
            f"--labels={file} cannot be read ({error.strerror})"
        ) from error
    except pandas.errors.EmptyDataError as error:
        raise UserError(f"--labels={file} is empty") from error
    except pandas.errors.ParserWarning as error:
        raise UserError(
            f"--labels={file}, line 2: more cells than the header has; quote "
            "cells that hold a comma"
        ) from error
    except ValueError as error:
        raise UserError(
            f"--labels={file} is not a valid CSV ({str(error).strip()}); "
            "quote cells that hold a comma"
        ) from error
    table.columns = [str(column).strip() for column in table.columns]
    _require_column(table, file, filename_column, "--filename_column")
    _require_column(table, file, label_column, "--label_column")

    def cells(column: str) -> list[str]:
        if column not in table.columns:
            return [""] * len(table)
        return [str(cell).strip() for cell in table[column]]

    has_split = SPLIT_COLUMN in table.columns
    has_fold = FOLD_COLUMN in table.columns
    rows = []
    # Line 1 is the header; a quoted line break in a cell is not reckoned with.
    for line, (name, labels, split, fold) in enumerate(
        zip(
            cells(filename_column),
            cells(label_column),
            cells(SPLIT_COLUMN),
            cells(FOLD_COLUMN),
            strict=True,
        ),
        start=2,
    ):
        if not (name or labels or split or fold):
            continue  # A blank line.
        where = f"--labels={file}, line {line}"
        if not name:
            raise UserError(f"{where}: {filename_column!r} is empty")
        if has_split and not _SPLIT_NAME.fullmatch(split):
            raise UserError(
                f"{where}: the split of {printable(name)} is {split!r}; use "
                "letters, digits and _, e.g. train or eval"
            )
        if has_fold and not fold:
            raise UserError(f"{where}: the fold of {printable(name)} is empty")
        if printable(labels) != labels:
            raise UserError(
                f"{where}: the labels {printable(labels)!r} are not UTF-8: "
                "save the table as UTF-8"
            )
        parts = (part.strip() for part in labels.split(LABEL_SEPARATOR))
        parts = tuple(sorted({part for part in parts if part}))
        rows.append(LabelRow(line, name, parts, split, fold))
    if not rows:
        raise UserError(f"--labels={file} has a header but no row")
    if not any(row.labels for row in rows):
        raise UserError(
            f"--labels={file}: column {label_column!r} is empty in all "
            f"{len(rows)} rows; name another with --label_column, or leave "
            "out --labels"
        )
    return LabelTable(file, tuple(rows), has_split, has_fold)


def printable(name: str) -> str:
    r"""The name with undecodable bytes shown as \xff; else unchanged."""
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def _require_column(table, file: str, column: str, flag: str) -> None:
    if column not in table.columns:
        raise UserError(
            f"--labels={file} has no column {column!r}: it has "
            f"{', '.join(printable(found) for found in table.columns)}; name "
            f"the right one with {flag}"
        )
