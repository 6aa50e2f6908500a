"""How loud clips are, whether they were clipped, and counts of levels."""

import math

import numpy as np

LSB = 1 / 32768


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
    """Whether three samples in a row are at full scale (our choice).

    Fewer are a peak that just reaches it.
    """
    full = np.abs(audio) >= 1 - LSB
    return bool((full[:-2] & full[1:-1] & full[2:]).any())


BIN_DB = 3


class LevelHistogram:
    """Levels in bins of `BIN_DB`; -inf is counted apart.

    Args:
      low_db: lower edge of the lowest bin; what is below has a bin too.
      high_db: upper edge of the highest bin, likewise.
    """

    def __init__(self, low_db: int, high_db: int):
        self.low_db, self.high_db = low_db, high_db
        self.counts = np.zeros((high_db - low_db) // BIN_DB + 2, np.int64)
        self.silent = 0
        self._sum_db = 0.0

    def add(self, level_db: float) -> None:
        if level_db == -math.inf:
            self.silent += 1
            return
        place = math.floor((level_db - self.low_db) / BIN_DB) + 1
        self.counts[min(max(place, 0), len(self.counts) - 1)] += 1
        self._sum_db += level_db

    def merge(self, other: "LevelHistogram") -> None:
        """Adds what another one with the same bins has counted."""
        self.counts += other.counts
        self.silent += other.silent
        self._sum_db += other._sum_db

    @property
    def mean_db(self) -> float | None:
        """Of the finite levels; None when there is none."""
        total = int(self.counts.sum())
        return self._sum_db / total if total else None

    def as_json(self) -> dict:
        """`counts` begins with what is below `low_db`, and ends above."""
        return {
            "low_db": self.low_db,
            "high_db": self.high_db,
            "bin_db": BIN_DB,
            "counts": self.counts.tolist(),
            "digital_silence": self.silent,
            "mean_db": self.mean_db,
        }
