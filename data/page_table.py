"""Tables of numbers, as pages show them."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Cell:
    """A number as shown; `bar` is a share in percent, or None."""

    value: float | None
    text: str
    best: bool = False
    bar: float | None = None


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    note: str
    cells: tuple[Cell, ...]


@dataclasses.dataclass(frozen=True)
class Table:
    """`first` heads the column of names, `columns` those of the cells."""

    caption: str
    first: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
