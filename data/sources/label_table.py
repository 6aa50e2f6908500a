"""Tables of labels: the CSV of clips, and tables that number classes."""

import dataclasses
import re
from collections.abc import Iterable

from data.run import csv_table
from data.run.csv_table import printable
from data.run.errors import UserError


def names_by_number(
    rows: Iterable[tuple[int, str, str]], table: str
) -> tuple[str, ...]:
    """Class names in the order of their numbers.

    Args:
      rows: (line, number, name); the same pair may come again.
      table: what the rows are of, for messages.

    Raises:
      UserError: there is no row, a number is not whole, a name is empty or
        not UTF-8, or one of them goes with two of the other.
    """
    name_of: dict[int, str] = {}
    number_of: dict[str, int] = {}
    for line, cell, name in rows:
        where = f"{table}, line {line}"
        if not (cell.isascii() and cell.isdigit()):
            raise UserError(
                f"{where}: the number of class {printable(name)!r} is "
                f"{printable(cell)!r}: a whole number is wanted"
            )
        if not name or printable(name) != name:
            raise UserError(
                f"{where}: the name of class {cell} is {printable(name)!r}: "
                "some UTF-8 text is wanted"
            )
        number = int(cell)
        if name_of.setdefault(number, name) != name:
            raise UserError(
                f"{where}: class {number} is {name!r}, but {name_of[number]!r} "
                "above: give each class a number of its own"
            )
        if number_of.setdefault(name, number) != number:
            raise UserError(
                f"{where}: class {name!r} has number {number}, but "
                f"{number_of[name]} above: keep one of them"
            )
    if not name_of:
        raise UserError(f"{table} has no row with a class")
    return tuple(name_of[number] for number in sorted(name_of))


LABEL_SEPARATOR = ";"
SPLIT_COLUMN, FOLD_COLUMN = "split", "fold"

_SPLIT_NAME = re.compile(r"[A-Za-z0-9_]+")


@dataclasses.dataclass(frozen=True)
class LabelRow:
    """One row: `split` and `fold` are "" where the table has none."""

    line: int
    filename: str
    labels: tuple[str, ...]
    split: str = ""
    fold: str = ""


@dataclasses.dataclass(frozen=True)
class LabelTable:
    """Labels of files.

    Attributes:
      name: of the CSV, for messages.
      rows: in file order.
      has_split, has_fold: whether it has these columns.
    """

    name: str
    rows: tuple[LabelRow, ...]
    has_split: bool = False
    has_fold: bool = False


def read(file: str, filename_column: str, label_column: str) -> LabelTable:
    """Reads a label CSV; a row with an empty label cell is unlabeled.

    Raises:
      UserError: the file cannot be read, a column is missing, or a row is
        wrong; with the row's line.
    """
    table = csv_table.read(file, "--labels")
    for column, flag in (
        (filename_column, "--filename_column"),
        (label_column, "--label_column"),
    ):
        table.require(column, f"name the right one with {flag}")
    has_split = SPLIT_COLUMN in table.columns
    has_fold = FOLD_COLUMN in table.columns
    rows = []
    for line, name, labels, split, fold in table.rows(
        filename_column, label_column, SPLIT_COLUMN, FOLD_COLUMN
    ):
        where = f"{table.name}, line {line}"
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
        rows.append(
            LabelRow(
                line, name, split_labels(labels, LABEL_SEPARATOR), split, fold
            )
        )
    if not rows:
        raise UserError(f"{table.name} has a header but no row")
    if not any(row.labels for row in rows):
        raise UserError(
            f"{table.name}: column {label_column!r} is empty in all "
            f"{len(rows)} rows; name another with --label_column, or leave "
            "out --labels"
        )
    return LabelTable(table.name, tuple(rows), has_split, has_fold)


def split_labels(cell: str, separator: str) -> tuple[str, ...]:
    """The labels of a cell, ascending."""
    parts = (part.strip() for part in cell.split(separator))
    return tuple(sorted({part for part in parts if part}))
