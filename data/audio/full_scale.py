"""Floats on the scale of integers, as some programs export them."""

import numpy as np

# Of 16, 24 and 32 bits.
_SCALES = (2.0**15, 2.0**23, 2.0**31)
# Louder than any sound on a scale of 1 is exported (our choice).
_MOST = 32.0
# Fewer are clicks, or damage.
_LEAST_SHARE = 0.1


class FullScale:
    """Finds out what stands for full scale in the samples of a recording.

    It is the scale of 16, 24 or 32 bits, the smallest that holds the peak,
    where samples are whole numbers beyond 1, or a tenth of those that are not
    0 are beyond 1 and one beyond 32; else 1 (our choice).
    """

    def __init__(self):
        self._peak = 0.0
        self._sounding = self._beyond = 0
        self._are_whole = True

    def add(self, samples: np.ndarray) -> None:
        """Looks at more float samples, of any shape."""
        samples = np.abs(samples[np.isfinite(samples)])
        self._peak = max(self._peak, float(samples.max(initial=0)))
        self._sounding += int(np.count_nonzero(samples))
        self._beyond += int(np.count_nonzero(samples > 1))
        if self._are_whole:
            self._are_whole = bool((samples == np.floor(samples)).all())

    @property
    def value(self) -> float:
        is_far_beyond = (
            self._peak > _MOST and self._beyond >= _LEAST_SHARE * self._sounding
        )
        if not (self._peak > 1 and (self._are_whole or is_far_beyond)):
            return 1.0
        # To a per cent: what was resampled can go beyond.
        fitting = (s for s in _SCALES if self._peak <= 1.01 * s)
        return next(fitting, 1.0)
