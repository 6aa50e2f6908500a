"""CSV files: read with their cells as written; written whole."""

import csv
import dataclasses
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from data.run.atomic_write import atomic_path
from data.run.errors import UserError

if TYPE_CHECKING:
    import pandas


@dataclasses.dataclass(frozen=True)
class CsvTable:
    """Cells by column.

    Attributes:
      name: the file, with its flag where it has one, for messages.
      frame: of strings; bytes that are not UTF-8 as surrogates.
      first_line: of the file, that the first row stands in.
    """

    name: str
    frame: "pandas.DataFrame"
    first_line: int

    @property
    def columns(self) -> list[str]:
        return list(self.frame.columns)

    def require(self, column: str, remedy: str) -> None:
        """Raises `UserError` where there is no such column."""
        if column not in self.columns:
            raise UserError(
                f"{self.name} has no column {column!r}: it has "
                f"{', '.join(printable(found) for found in self.columns)}; "
                + remedy
            )

    def rows(self, *columns: str) -> Iterator[tuple]:
        """(line, cell, cell, ...) of the rows that are not blank.

        A column that is not there, and a cell that a row lacks, is "".
        """
        cells = [
            (str(cell).strip() for cell in self.frame[column])
            if column in self.columns
            else [""] * len(self.frame)
            for column in columns
        ]
        # A quoted line break in a cell is not reckoned with.
        for line, row in enumerate(
            zip(*cells, strict=True), start=self.first_line
        ):
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
    import pandas  # Slow to import; not needed for --help.

    name = f"{flag}={file}" if flag else str(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            frame = pandas.read_csv(
                file,
                header=None if columns else 0,
                names=columns or None,
                dtype=object,
                na_filter=False,
                index_col=False,  # Else surplus cells shift the columns.
                skip_blank_lines=False,
                skipinitialspace=True,  # Else quotes after a space are text.
                encoding="utf-8-sig",
                encoding_errors="surrogateescape",
            )
    except FileNotFoundError as error:
        raise UserError(f"{name} does not exist: is the path right?") from error
    except OSError as error:
        raise UserError(f"{name} cannot be read ({error.strerror})") from error
    except pandas.errors.EmptyDataError as error:
        raise UserError(f"{name} is empty") from error
    except pandas.errors.ParserWarning as error:
        wanted = f"the {len(columns)} wanted" if columns else "the header has"
        raise UserError(
            f"{name}, line {1 if columns else 2}: more cells than {wanted}; "
            "quote cells that hold a comma"
        ) from error
    except ValueError as error:
        raise UserError(
            f"{name} is not a valid CSV ({str(error).strip()}); quote cells "
            "that hold a comma"
        ) from error
    frame.columns = [str(column).strip() for column in frame.columns]
    return CsvTable(name, frame, first_line=1 if columns else 2)


def write(
    file: str | os.PathLike, rows: Iterable[Sequence], line_end: str = "\n"
) -> None:
    """Writes a CSV, whole or not at all.

    Undecodable bytes are written as `printable` shows them.

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
        csv.writer(stream, lineterminator=line_end).writerows(rows)


def append(file: str | os.PathLike, row: Sequence) -> None:
    """Adds a row, which is on the disk when this returns."""
    with open(file, "a", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerow(row)
        stream.flush()
        os.fsync(stream.fileno())


def printable(text: str) -> str:
    r"""The text with undecodable bytes shown as \xff; else unchanged."""
    return os.fsencode(text).decode("utf-8", errors="backslashreplace")
