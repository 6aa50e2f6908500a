"""Small charts, drawn by matplotlib in the colors of the page."""

import dataclasses
import io
import re

import matplotlib
import numpy as np
import pandas
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from data.audio.level import BIN_DB, LevelHistogram

# Of the SVG element in parts.html.jinja.
_WIDTH, _HEIGHT = 340, 200
# Longer histories are averaged over equal runs of rows.
_MAX_POINTS = 300
_NUM_COLORS = 6
# matplotlib knows no CSS: #00000n stands for the n-th of these. Text is left
# to the style of the page.
_VARIABLES = ("--rule", *(f"--c{n}" for n in range(_NUM_COLORS)))
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "",  # The same chart is the same text.
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.autolimit_mode": "round_numbers",
    "axes.xmargin": 0,
    "axes.ymargin": 0,
    "grid.color": "#000000",
    "xtick.bottom": False,
    "ytick.left": False,
}


@dataclasses.dataclass(frozen=True)
class Chart:
    """What a figure of the page shows.

    Attributes:
      title: the quantity.
      text: all of it, for who cannot see it.
      drawing: inside of its SVG element.
      key: name, color and last value of each line.
      note: what is not drawn.
    """

    title: str
    text: str
    drawing: Markup
    key: tuple[tuple[str, int, float], ...] = ()
    note: str = ""


@matplotlib.rc_context(_STYLE)
def line_chart(
    title: str, lines: dict[str, pandas.Series | None]
) -> Chart | None:
    """A quantity by training step.

    Args:
      title: the quantity.
      lines: values by step; None leaves one out, but not its color.

    Returns:
      The chart, or None when there is no finite value.
    """
    figure, axes = _empty("{x:.4g}")
    key = []
    for place, (name, values) in enumerate(lines.items()):
        if values is None or not np.isfinite(values).any():
            continue
        values = values[np.isfinite(values)].reset_index()
        runs = min(_MAX_POINTS, len(values))
        run_of = np.arange(len(values)) * runs // len(values)
        steps, means = values.groupby(run_of).mean().to_numpy().T
        color = place % _NUM_COLORS
        axes.plot(
            # One value is a dot: a line from it to itself.
            np.append(steps, steps[-1]),
            np.append(means, means[-1]),
            color=f"#00000{1 + color}",
            linewidth=2,
            solid_capstyle="round",
            clip_on=False,
        )
        key.append((name, color, float(means[-1])))
    if not key:
        return None
    # Steps count from 0, where the first row of a history is not.
    axes.set_xlim(0, max(1, axes.dataLim.xmax))
    axes.locator_params(nbins=4, steps=[1, 2, 2.5, 5, 10])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    text = f"{title} by training step"
    for name, _, last in key:
        text += f"; {name} ends at {last:.4g}"
    return Chart(title, text, _drawing(figure), tuple(key))


@matplotlib.rc_context(_STYLE)
def bar_chart(title: str, levels: LevelHistogram) -> Chart:
    """Clips by the level that `title` names; each bar tells its count."""
    figure, axes = _empty("{x:,.0f}")
    counts = levels.counts
    lows = levels.low_db + BIN_DB * np.arange(-1, len(counts) - 1)
    ranges = [f"{low} to {low + BIN_DB} dB" for low in lows]
    ranges[0] = f"below {levels.low_db} dB"
    ranges[-1] = f"{levels.high_db} dB and more"
    text = title
    for low, bin_range, count in zip(lows, ranges, counts, strict=True):
        if count:
            [bar] = axes.bar(
                low,
                count,
                0.9 * BIN_DB,
                align="edge",
                color="#000001",
                clip_on=False,
            )
            told = f"{bin_range}: {count:,} clips".replace("-", "−")
            bar.set_gid(f"title: {told}")
            text += f"; {told}"
    axes.set_xlim(lows[0], lows[-1] + BIN_DB)
    axes.set_ylim(0, None if counts.any() else 1)
    axes.xaxis.set_major_locator(MultipleLocator(12))
    axes.yaxis.get_major_locator().set_params(nbins=4, integer=True)
    note = ""
    if levels.silent:
        note = f"{levels.silent:,} clips of digital silence not shown"
    return Chart(title, text, _drawing(figure), note=note)


def _empty(number_format: str) -> tuple[Figure, matplotlib.axes.Axes]:
    """A figure in points, which are the units of its SVG, and its axes."""
    figure = Figure((_WIDTH / 72, _HEIGHT / 72), layout="constrained")
    axes = figure.add_subplot(frame_on=False)
    axes.grid(axis="y", clip_on=False)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_formatter(number_format)
    return figure, axes


def _drawing(figure: Figure) -> Markup:
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True)
    # The head has addresses, and a style that would be that of all the page.
    drawing = file.getvalue().partition("</defs>")[2].rpartition("</svg>")[0]
    drawing = re.sub('<g id="title: (.*?)">', r"<g><title>\1</title>", drawing)
    drawing = re.sub(' id=".*?"', "", drawing)
    return Markup(
        re.sub(
            "#00000([0-6])",
            lambda found: f"var({_VARIABLES[int(found[1])]})",
            drawing,
        )
    )
