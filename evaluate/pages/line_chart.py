"""Geometry of a small line chart; the page draws it as SVG."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator

WIDTH, HEIGHT = 340, 200
LEFT, RIGHT, TOP, BOTTOM = 48, 320, 10, 172
# Longer histories are averaged over equal runs of rows.
_MAX_POINTS = 300


@dataclasses.dataclass(frozen=True)
class Line:
    """One line: its color is `index`; `points` is an SVG point list."""

    name: str
    index: int
    points: str
    last: float


@dataclasses.dataclass(frozen=True)
class LineChart:
    """Lines and ticks in the units of a WIDTH x HEIGHT view box."""

    title: str
    lines: tuple[Line, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


def line_chart(
    title: str,
    series: Sequence[tuple[str, int, Sequence[float], Sequence[float]]],
) -> LineChart | None:
    """Lays out a chart of one quantity.

    Args:
      title: the quantity.
      series: name, color, steps and values of each line.

    Returns:
      The chart, or None when there is no finite value.
    """
    kept = []
    for name, index, steps, values in series:
        table = np.asarray([steps, values], np.float64)
        table = _averaged(table[:, np.isfinite(table).all(axis=0)])
        if table.shape[1]:
            kept.append((name, index, table))
    if not kept:
        return None
    together = np.concatenate([table for _, _, table in kept], axis=1)
    # Steps count from 0, where the first row of a history is not.
    steps = np.append(together[0], 0.0)
    x_ticks, x_place = _axis(steps, LEFT, RIGHT, tight=True)
    y_ticks, y_place = _axis(together[1], BOTTOM, TOP, tight=False)
    lines = tuple(
        Line(
            name,
            index,
            " ".join(
                f"{x:.1f},{y:.1f}"
                for x, y in zip(
                    x_place(table[0]), y_place(table[1]), strict=True
                )
            ),
            float(table[1, -1]),
        )
        for name, index, table in kept
    )
    return LineChart(title, lines, x_ticks, y_ticks)


def _averaged(table: np.ndarray) -> np.ndarray:
    """(2, N) to at most (2, _MAX_POINTS)."""
    if table.shape[1] <= _MAX_POINTS:
        return table
    parts = np.array_split(table, _MAX_POINTS, axis=1)
    return np.stack([part.mean(axis=1) for part in parts], axis=1)


def _axis(values: np.ndarray, start: float, end: float, tight: bool):
    """Ticks, and the function from values to places, of one axis."""
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-9 * max(1.0, abs(high)):
        margin = 0.5 * max(abs(low), 1e-3)
        low, high = low - margin, high + margin
    ticks = MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]).tick_values(
        low, high
    )
    if not tight:
        low, high = float(ticks[0]), float(ticks[-1])

    def place(value):
        return start + (np.asarray(value) - low) / (high - low) * (end - start)

    inside = [tick for tick in ticks if low <= tick <= high]
    return tuple((float(place(t)), _number(t)) for t in inside), place


def _number(value: float) -> str:
    text = f"{value / 1000:g}k" if abs(value) >= 1e4 else f"{value:.4g}"
    return text.replace("-", "−")
