"""Rows of tables: those that label files, and those that number classes."""

import dataclasses
from collections.abc import Iterable

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


@dataclasses.dataclass(frozen=True)
class LabelRow:
    """The labels of a file; `split` is "" where the table has none."""

    line: int
    filename: str
    labels: tuple[str, ...]
    split: str = ""


@dataclasses.dataclass(frozen=True)
class LabelTable:
    """Labels of files, in file order; `name` is that of the CSV, for messages.

    Raises:
      UserError: there is no row.
    """

    name: str
    rows: tuple[LabelRow, ...]

    def __post_init__(self) -> None:
        if not self.rows:
            raise UserError(f"{self.name} has a header but no row")


def split_labels(cell: str, separator: str) -> tuple[str, ...]:
    """The labels of a cell, ascending."""
    parts = (part.strip() for part in cell.split(separator))
    return tuple(sorted({part for part in parts if part}))
