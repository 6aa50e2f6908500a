"""Tables of numbers of a page."""

import dataclasses
import math
from collections.abc import Callable, Sequence


@dataclasses.dataclass(frozen=True)
class Cell:
    """A number as shown; `bar` is a share in percent, or None.

    `note` stands beside it, e.g. the number's interval.
    """

    value: float | None
    text: str
    best: bool = False
    bar: float | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
    """`first` heads the names of the rows, which have (name, note, cells)."""

    caption: str
    first: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, str, Sequence[Cell]]]


def grid(
    caption: str,
    first: str,
    rows: Sequence[object],
    columns: dict[str, object],
    cell: Callable[[object, object], Cell],
) -> Table:
    """A table of `cell(columns[column], row)`."""
    shown = [(str(r), "", [cell(c, r) for c in columns.values()]) for r in rows]
    return Table(caption, first, list(columns), shown)


def number(value: float | None, spec: str = ",", unit: str = "") -> Cell:
    """A number in the format of `spec`; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return Cell(None, "–")
    return Cell(value, format(value, spec).replace("-", "−") + unit)


def share(count: int, total: int) -> Cell:
    """A count, with its share of `total` and a bar for that."""
    percent = 100 * count / max(total, 1)
    return Cell(count, f"{count:,} ({percent:.3g} %)", bar=percent)
