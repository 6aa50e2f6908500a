"""Geometry of a small bar chart of levels; the page draws it as SVG."""

import dataclasses

from matplotlib.ticker import MaxNLocator

from data.audio.level import BIN_DB, LevelHistogram

WIDTH, HEIGHT = 340, 200
LEFT, RIGHT, TOP, BOTTOM = 48, 330, 10, 172
_TICK_DB = 12
_GAP = 1.0


@dataclasses.dataclass(frozen=True)
class Bar:
    """One bin: place and size in the view box, and what it says."""

    x: float
    y: float
    width: float
    height: float
    text: str


@dataclasses.dataclass(frozen=True)
class BarChart:
    """Bars and ticks in the units of a WIDTH x HEIGHT view box.

    Attributes:
      title: the quantity.
      note: what the bars do not show.
      bars: those that are not empty.
      x_ticks, y_ticks: place and text.
    """

    title: str
    note: str
    bars: tuple[Bar, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


def bar_chart(title: str, levels: LevelHistogram, unit: str) -> BarChart:
    """Lays out a histogram.

    Args:
      title: the quantity.
      levels: the counts.
      unit: what is counted, e.g. "clips".
    """
    counts = levels.counts.tolist()
    step = (RIGHT - LEFT) / len(counts)
    y_ticks = MaxNLocator(nbins=4, integer=True).tick_values(0, max(*counts, 1))
    scale = (BOTTOM - TOP) / y_ticks[-1]
    bars = tuple(
        Bar(
            LEFT + place * step,
            BOTTOM - count * scale,
            step - _GAP,
            count * scale,
            f"{_range(levels, place)}: {count:,} {unit}",
        )
        for place, count in enumerate(counts)
        if count
    )
    x_ticks = tuple(
        (LEFT + step * (1 + (db - levels.low_db) / BIN_DB), _number(db))
        for db in range(levels.low_db, levels.high_db + 1)
        if db % _TICK_DB == 0
    )
    note = ""
    if levels.silent:
        note = f"{levels.silent:,} {unit} of digital silence not shown"
    return BarChart(
        title,
        note,
        bars,
        x_ticks,
        tuple((BOTTOM - tick * scale, f"{tick:,.0f}") for tick in y_ticks),
    )


def _range(levels: LevelHistogram, place: int) -> str:
    low = levels.low_db + (place - 1) * BIN_DB
    if place == 0:
        return f"below {_number(levels.low_db)} dB"
    if low >= levels.high_db:
        return f"{_number(levels.high_db)} dB and more"
    return f"{_number(low)} to {_number(low + BIN_DB)} dB"


def _number(db: int) -> str:
    return str(db).replace("-", "−")
