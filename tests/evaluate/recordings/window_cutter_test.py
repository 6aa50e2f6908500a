"""Windows of what comes in blocks are those of the whole."""

import numpy as np
import pytest

from evaluate.recordings.window_cutter import WindowCutter
from tests.evaluate.toy_runs import toy_model


def cut(waveform, blocks, window, hop):
    """Starts and windows, of blocks that end at places of the waveform."""
    cutter = WindowCutter(window, hop)
    found = [cutter.add(block) for block in np.split(waveform, blocks)]
    starts, windows = zip(*found, cutter.end(), strict=True)
    return np.concatenate(starts), np.concatenate(windows)


def test_they_are_those_of_the_definition():
    random = np.random.default_rng(0)
    for _ in range(500):
        window = random.integers(1, 20)
        hop = random.integers(1, window + 1)
        length = random.integers(1, 80)
        waveform = random.normal(size=length).astype("f4")
        blocks = np.sort(random.integers(0, length + 1, random.integers(5)))
        starts, windows = cut(waveform, blocks, window, hop)
        before_last = np.arange(0, max(0, length - window), hop)
        last = max(0, length - window)
        np.testing.assert_array_equal(starts, [*before_last, last])
        for start, found in zip(starts, windows, strict=True):
            piece = waveform[start : start + window]
            np.testing.assert_array_equal(found, np.resize(piece, window))


@pytest.mark.parametrize("extra", [-9000, 0, 1, 7680, 100_000])
def test_they_are_those_of_the_encoder(extra):
    model = toy_model()
    waveform = np.random.default_rng(1).normal(
        size=model.window_samples + extra
    )
    waveform = waveform.astype("f4")
    _, windows = cut(
        waveform, [5000, 5001], model.window_samples, model.window_hop_samples
    )
    np.testing.assert_array_equal(windows, model.cut_windows(waveform[None])[0])


def test_of_no_samples_there_is_none():
    starts, windows = cut(np.zeros(0, "f4"), [0], 4, 2)
    assert starts.shape == (0,) and windows.shape == (0, 4)


@pytest.mark.parametrize("hop", [0, 5])
def test_hops_that_leave_sound_out_are_refused(hop):
    with pytest.raises(ValueError, match=f"hop_samples={hop}, window_sampl"):
        WindowCutter(4, hop)
