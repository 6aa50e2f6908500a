import numpy as np
import pytest

from models.numerics.valid_waveform import is_valid


@pytest.mark.parametrize(
    "value, valid",
    [
        (0.0, True),
        (-1.0, True),
        (1e6, True),
        (-1e6, True),
        (1.001e6, False),
        (1e30, False),
        (-1e38, False),
        (np.inf, False),
        (-np.inf, False),
        (np.nan, False),
    ],
)
def test_one_sample_decides_for_its_clip(value, valid):
    waveform = np.zeros((2, 5), "float32")
    waveform[1, 3] = value
    assert np.asarray(is_valid(waveform)).tolist() == [True, valid]
    assert bool(is_valid(waveform[1])) == valid


def test_no_samples_are_not_valid():
    assert np.asarray(is_valid(np.zeros((3, 0), "f4"))).tolist() == [False] * 3
