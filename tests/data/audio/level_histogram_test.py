import math

import numpy as np
import pytest

from data.audio.level import LevelHistogram


def histogram_of(levels):
    histogram = LevelHistogram(-9, 3)
    for level in levels:
        histogram.add(level)
    return histogram


def test_levels_fall_into_their_bins():
    levels = [-40, -9, -6.001, -6, 0, 2.9, 3, 50, -math.inf]
    found = histogram_of(levels)
    # Below -9 | -9 | -6 | -3 | 0 | 3 and above.
    assert found.counts.tolist() == [1, 2, 1, 0, 2, 2]
    assert found.silent == 1
    assert found.mean_db == pytest.approx(np.mean(levels[:-1]))
    assert histogram_of([-math.inf]).mean_db is None


def test_merged_parts_equal_the_whole():
    levels = np.random.default_rng(0).normal(-4, 5, 57).tolist()
    levels += [-math.inf] * 3
    merged = histogram_of(levels[:20])
    merged.merge(histogram_of(levels[20:]))
    whole = histogram_of(levels)
    assert merged.counts.tolist() == whole.counts.tolist()
    assert merged.silent == 3 and merged.counts.sum() == 57
    assert merged.mean_db == pytest.approx(whole.mean_db)
