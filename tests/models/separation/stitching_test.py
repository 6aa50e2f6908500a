import numpy as np
import pytest

from models.separation.stitching import stitch, window_starts


@pytest.mark.parametrize(
    "samples, window, starts",
    [
        (10, 0, [0]),
        (10, 10, [0]),
        (11, 10, [0, 1]),
        (15, 10, [0, 5]),
        (16, 10, [0, 5, 6]),
        (23, 7, [0, 3, 6, 9, 12, 15, 16]),
    ],
)
def test_windows_cover_the_signal(samples, window, starts):
    assert window_starts(samples, window) == starts


def _separated(truth, window, seed=None):
    """Windows of the true channels, in a random order each."""
    rng = np.random.default_rng(seed)
    starts = window_starts(truth.shape[1], window)
    for start in starts:
        order = rng.permutation(len(truth))
        yield truth[order, start : start + (window or truth.shape[1])]


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("samples, window", [(1000, 64), (997, 65), (129, 128)])
def test_channels_in_any_order_are_put_back(channels, samples, window):
    rng = np.random.default_rng(7)
    truth = rng.normal(size=(channels, samples)).astype(np.float32)
    for seed in range(5):
        windows = [*_separated(truth, window, seed)]
        result = stitch(windows, window_starts(samples, window), samples)
        # In the order of the first window, and equal to rounding.
        order = [
            int(np.argmax(np.abs(truth[:, :window] @ w))) for w in windows[0]
        ]
        assert sorted(order) == list(range(channels))
        np.testing.assert_allclose(result, truth[order], atol=1e-6)
        assert result.dtype == np.float32


def test_the_sum_of_the_channels_is_kept():
    """Also where windows disagree on what belongs to which channel."""
    rng = np.random.default_rng(1)
    samples, window = 501, 50
    mixture = rng.normal(size=samples)
    windows = []
    for start in window_starts(samples, window):
        piece = mixture[start : start + window]
        share = rng.uniform(size=(3, len(piece)))
        windows.append(share / share.sum(0) * piece)
    copies = [window.copy() for window in windows]
    result = stitch(windows, window_starts(samples, window), samples)
    np.testing.assert_allclose(result.sum(0), mixture, atol=1e-12)
    for window, copy in zip(windows, copies, strict=True):
        np.testing.assert_array_equal(window, copy)


def test_the_fade_is_linear_over_the_overlap():
    ones, zeros = np.ones((1, 8)), np.zeros((1, 8))
    result = stitch([ones, zeros], [0, 4], 12)
    np.testing.assert_allclose(
        result[0], [1] * 4 + [7 / 8, 5 / 8, 3 / 8, 1 / 8] + [0] * 4
    )
