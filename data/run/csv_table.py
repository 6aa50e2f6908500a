"""CSV files: read with their cells as written; written whole."""

import csv
import dataclasses
import io
import os
import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence

from data.run.atomic_write import atomic_path
from data.run.errors import UserError

# What a spreadsheet takes for a formula. It is written after a ', which tells
# it that this is text; so is what looks as if it had been written so.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")

# What a terminal or an editor acts upon, and what is in no encoding.
_NOT_SHOWN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


@dataclasses.dataclass(frozen=True)
class CsvTable:
    """Cells by column.

    Attributes:
      name: the file, with its flag where it has one, for messages.
      columns: names of the columns.
      lines: (number of the line, cell, cell, ...) each; bytes that are not
        UTF-8 as surrogates.
    """

    name: str
    columns: Sequence[str]
    lines: Sequence[tuple]

    def require(self, column: str, remedy: str) -> None:
        """Raises `UserError` where there is none of the name, or two."""
        if tuple(self.columns).count(column) > 1:
            raise UserError(f"{self.name} has two columns {column!r}: keep one")
        if column not in self.columns:
            there = ", ".join(printable(found) for found in self.columns)
            raise UserError(
                f"{self.name} has no column {column!r}: it has {there}; "
                + remedy
            )

    def rows(self, *columns: str) -> Iterator[tuple]:
        """(line, cell, cell, ...) of the rows that are not blank.

        A column that is not there, and a cell that a row lacks, is "".
        """
        for line, *cells in self.lines:
            cell_of = dict(zip(self.columns, cells, strict=False))
            row = [cell_of.get(column, "") for column in columns]
            if any(row):
                yield line, *row


def read(
    file: str | os.PathLike, flag: str = "", columns: Sequence[str] = ()
) -> CsvTable:
    """Reads a CSV; spaces around a cell do not count.

    Bytes that are not UTF-8 are kept as surrogates, as in file names, so
    that a name no encoding explains can still be matched.

    Args:
      file: its path.
      flag: that names it, e.g. "--labels".
      columns: of a file without a header; else its first line has them.

    Raises:
      UserError: it cannot be read, or a row has too many cells.
    """
    name = f"{flag}={file}" if flag else str(file)
    try:
        with open(
            file, newline="", encoding="utf-8-sig", errors="surrogateescape"
        ) as stream:
            reader = csv.reader(stream, skipinitialspace=True, strict=True)
            lines = [
                (reader.line_num, *(cell.strip() for cell in cells))
                for cells in reader
                if cells
            ]
    except FileNotFoundError as error:
        raise UserError(f"{name} does not exist: is the path right?") from error
    except OSError as error:
        raise UserError(f"{name} cannot be read ({error.strerror})") from error
    except csv.Error as error:
        raise UserError(
            f"{name} is not a valid CSV (line {reader.line_num}: {error}); "
            "quote cells that hold a comma, from end to end"
        ) from error
    if not lines:
        raise UserError(f"{name} is empty")
    wanted = f"the {len(columns)} wanted" if columns else "the header has"
    columns = columns or lines.pop(0)[1:]
    for line, *cells in lines:
        if any(cells[len(columns) :]):
            raise UserError(
                f"{name}, line {line}: more cells than {wanted}; quote cells "
                "that hold a comma"
            )
    return CsvTable(name, columns, lines)


def write(
    file: str | os.PathLike, rows: Iterable[Sequence], line_end: str = "\n"
) -> None:
    """Writes a CSV, whole or not at all.

    Undecodable bytes are written as `printable` shows them, and formulas so
    that a spreadsheet shows them as text; `rows_written` reads them back.

    Args:
      file: its path.
      rows: cells, those of the header first.
      line_end: after each row.
    """
    with (
        atomic_path(file) as beside,
        beside.open(
            "w", newline="", encoding="utf-8", errors="backslashreplace"
        ) as stream,
    ):
        csv.writer(stream, lineterminator=line_end).writerows(
            map(_as_text, rows)
        )


def append(file: str | os.PathLike, row: Sequence) -> None:
    """Adds a row, which is on the disk when this returns."""
    with open(file, "a", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerow(_as_text(row))
        stream.flush()
        os.fsync(stream.fileno())


def rows_written(file: pathlib.Path) -> list[list[str]]:
    """Header and rows of a CSV of ours; none where there is no file.

    Without a row that a kill has cut short.

    Raises:
      UserError: it is no CSV of ours.
    """
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            text = stream.read()
        whole = text[: text.rfind("\n") + 1]
        rows = csv.reader(io.StringIO(whole, newline=""))
        return [
            [c[1:] if c[:1] == "'" and _FORMULA.match(c) else c for c in row]
            for row in rows
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(
            f"{file} cannot be read ({error}): delete it"
        ) from error


def _as_text(row: Sequence) -> list:
    def is_formula(cell):
        if not isinstance(cell, str) or not _FORMULA.match(cell):
            return False
        try:
            float(cell)
        except ValueError:
            return True
        return False

    return [f"'{cell}" if is_formula(cell) else cell for cell in row]


def printable(text: str) -> str:
    r"""The text with undecodable bytes shown as \xff; else unchanged."""
    return os.fsencode(text).decode("utf-8", errors="backslashreplace")


def on_one_line(text: str) -> str:
    r"""The same for a terminal: \x1b, \n and the like are shown, not done."""

    def shown(found):
        character = found[0]
        if "\udc80" <= character <= "\udcff":
            return f"\\x{ord(character) - 0xDC00:02x}"
        return character.encode("unicode_escape").decode()

    return _NOT_SHOWN.sub(shown, text)
