"""Separation of long signals window by window, with the channels in order."""

from collections.abc import Iterable

import numpy as np
from scipy.optimize import linear_sum_assignment


def window_starts(num_samples: int, window_samples: int) -> list[int]:
    """First samples of the windows that cover a signal.

    Neighbours overlap by half; the last one ends where the signal ends, and
    so may overlap by more. A signal no longer than a window has one, of its
    own length.

    Args:
        window_samples: Length of a window, at least 2; 0: the whole signal.
    """
    if not window_samples or num_samples <= window_samples:
        return [0]
    last = num_samples - window_samples
    return [*range(0, last, window_samples // 2), last]


def stitch(
    windows: Iterable[np.ndarray], starts: Iterable[int], num_samples: int
) -> np.ndarray:
    """Joins the channels of overlapping windows.

    A separator may give its channels in another order for each window. They
    are matched with those so far by the largest sum of inner products over
    the overlap, which is the least squared difference, and cross-faded
    linearly over it: where the channels of each window add up to the
    mixture, so does the result. Our choice; channels that are silent in the
    overlap cannot be told apart.

    Args:
        windows: (channels, samples) each, as of `window_starts`.
        starts: Their first samples, ascending.

    Returns:
        (channels, num_samples).
    """
    joined, end = None, 0
    for window, start in zip(windows, starts, strict=True):
        if joined is None:
            joined = np.zeros((len(window), num_samples), window.dtype)
        else:
            before = joined[:, start:end]
            overlap = end - start
            products = before.astype(np.float64) @ window[:, :overlap].T
            _, order = linear_sum_assignment(products, maximize=True)
            window = window[order]
            fade_in = ((np.arange(overlap) + 0.5) / overlap).astype(
                window.dtype
            )
            window[:, :overlap] = (
                fade_in * window[:, :overlap] + (1 - fade_in) * before
            )
        end = start + window.shape[1]
        joined[:, start:end] = window
    return joined
