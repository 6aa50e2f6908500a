import re

import numpy as np
import pandas
import pytest

from data.audio.level import LevelHistogram
from data.page.chart import bar_chart, line_chart


def _series(values):
    steps = 100 * np.arange(1, len(values) + 1)
    return pandas.Series(values, pandas.Index(steps, name="step"))


def _paths(drawing, color):
    """Points (N, 2) of each line or bar of a color."""
    found = re.findall(f'<path d="([^"]*)" style="[^"]*{color}[^"]*"', drawing)
    return [
        np.array(re.findall(r"[ML] (\S+) (\S+)", path), float) for path in found
    ]


def test_lines_skip_gaps_and_keep_their_colors():
    chart = line_chart(
        "loss",
        {
            "a": _series([3.0, np.nan, -1.0, np.inf]),
            "without": None,
            "dot": _series([2.0]),
        },
    )
    assert chart.key == (("a", 0, -1.0), ("dot", 2, 2.0))
    assert chart.text == ("loss by training step; a ends at -1; dot ends at 2")
    [line] = _paths(chart.drawing, "--c0")
    [dot] = _paths(chart.drawing, "--c2")
    (x1, y1), (x2, y2), end = line
    assert tuple(end) == (x2, y2)
    # From step 100 to 300 and from 3 down to -1, all inside of the drawing.
    assert 0 < x1 < x2 <= 340 and 0 < y1 < y2 < 200
    (x, y), end = dot
    assert (x, y) == tuple(end)
    np.testing.assert_allclose([x, y], [x1, y1 + (y2 - y1) / 4], atol=0.01)
    assert line_chart("loss", {"a": _series([np.nan]), "b": None}) is None


def test_a_long_history_is_averaged():
    chart = line_chart("loss", {"a": _series(np.arange(900) % 3)})
    [line] = _paths(chart.drawing, "--c0")
    assert len(line) <= 301 and chart.key[0][2] == pytest.approx(1)


def test_bars_are_as_high_as_their_counts():
    levels = LevelHistogram(-96, 3)
    for level_db in (-200, -30.2, -30.3, 5, -np.inf):
        levels.add(level_db)
    chart = bar_chart("RMS", levels)
    texts = ["below −96 dB: 1 clips", "−33 to −30 dB: 2 clips"]
    texts.append("3 dB and more: 1 clips")
    assert chart.text == "; ".join(["RMS", *texts])
    assert re.findall("<title>(.*?)</title>", chart.drawing) == texts
    assert chart.note == "1 clips of digital silence not shown"
    heights = [np.ptp(bar[:, 1]) for bar in _paths(chart.drawing, "--c0")]
    np.testing.assert_allclose(heights, heights[0] * np.array([1, 2, 1]))
    empty = bar_chart("RMS", LevelHistogram(-96, 3))
    assert empty.text == "RMS" and not _paths(empty.drawing, "--c0")
