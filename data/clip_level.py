"""How loud a clip is, and whether it was clipped."""

import math

import numpy as np

LSB = 1 / 32768
# A run of this many samples at full scale is clipping, a shorter one a peak
# that just reaches it (our choice).
CLIPPED_SAMPLES = 3


def rms_db(audio: np.ndarray) -> float:
    """RMS of (T,) audio in dB re full scale; -inf for digital silence."""
    squares = np.square(audio, dtype=np.float64)
    power = float(squares.sum()) / max(len(audio), 1)
    return 10 * math.log10(power) if power else -math.inf


def peak_db(audio: np.ndarray) -> float:
    """Largest magnitude of (T,) audio, likewise."""
    peak = float(np.abs(audio).max(initial=0))
    return 20 * math.log10(peak) if peak else -math.inf


def is_clipped(audio: np.ndarray) -> bool:
    """Whether `CLIPPED_SAMPLES` in a row are at full scale."""
    full = np.abs(audio) >= 1 - LSB
    if np.count_nonzero(full) < CLIPPED_SAMPLES:
        return False
    windows = np.lib.stride_tricks.sliding_window_view(full, CLIPPED_SAMPLES)
    return bool(windows.all(axis=1).any())
