import math

import numpy as np
import pytest

from data.audio.level import LSB, LevelHistogram, is_clipped, peak_db, rms_db

FULL = 32767 * LSB


def test_levels_by_hand():
    audio = np.array([0.5, -0.5, 0.1, -0.1], np.float32)
    assert rms_db(audio) == pytest.approx(10 * math.log10(0.13))
    assert peak_db(audio) == pytest.approx(-6.0206)
    for silence in (np.zeros(3, np.float32), np.zeros(0, np.float32)):
        assert rms_db(silence) == peak_db(silence) == -math.inf
    square = np.array([1, -1] * 4, np.float32)
    assert rms_db(-square) == peak_db(square) == 0


@pytest.mark.parametrize(
    "samples, clipped",
    [
        ([FULL, FULL, FULL, 0], True),
        # Where a wave turns from one rail to the other, too.
        ([0, FULL, -1, FULL], True),
        ([FULL, FULL, 0, FULL, FULL], False),
        ([FULL - LSB] * 9, False),
        ([], False),
    ],
)
def test_three_in_a_row_at_full_scale_are_clipping(samples, clipped):
    assert is_clipped(np.array(samples, np.float32)) == clipped


def histogram_of(levels):
    histogram = LevelHistogram(-9, 3)
    for level in levels:
        histogram.add(level)
    return histogram


def test_levels_fall_into_their_bins_and_parts_merge_to_the_whole():
    levels = [-40, -9, -6.001, -6, -math.inf, 0, 2.9, 3, 50, -math.inf]
    merged = histogram_of(levels[:5])
    merged.merge(histogram_of(levels[5:]))
    for found in (histogram_of(levels), merged):
        # Below -9 | -9 | -6 | -3 | 0 | 3 and above.
        assert found.counts.tolist() == [1, 2, 1, 0, 2, 2]
        assert found.silent == 2
        finite = [level for level in levels if level > -math.inf]
        assert found.mean_db == pytest.approx(np.mean(finite))
    assert histogram_of([-math.inf]).mean_db is None
