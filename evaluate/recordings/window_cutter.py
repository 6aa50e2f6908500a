"""Cuts the windows of a recording that comes in blocks."""

import numpy as np


class WindowCutter:
    """Windows of one recording, as `EmbeddingModel.cut_windows` cuts a clip.

    They start a hop apart, and the last one ends with the recording, so that
    every sample is heard; a recording shorter than a window is repeated.
    Memory is that of a block.

    Args:
      window_samples: length of a window.
      hop_samples: between two starts; at most `window_samples`.
    """

    def __init__(self, window_samples: int, hop_samples: int):
        if not 0 < hop_samples <= window_samples:
            raise ValueError(
                "hop_samples must be 1 to window_samples. Received: "
                f"hop_samples={hop_samples}, window_samples={window_samples}"
            )
        self._window, self._hop = window_samples, hop_samples
        # What windows to come may hold, and where it starts.
        self._kept, self._kept_from = np.zeros(0, np.float32), 0
        self._next = 0

    def add(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Takes more of the recording.

        Returns:
          The windows that are whole and not the last: their starts (n,) int64,
          in samples, and (n, window_samples).
        """
        kept = np.concatenate([self._kept, block])
        # Something must follow, else it may be the last.
        beyond = self._kept_from + len(kept) - self._window - self._next
        count = max(0, -(-beyond // self._hop))
        starts = self._next + self._hop * np.arange(count)
        windows = np.zeros((0, self._window), np.float32)
        if count:
            every = np.lib.stride_tricks.sliding_window_view(kept, self._window)
            windows = every[starts - self._kept_from]
        self._next += self._hop * count
        # The last window may start before the next one would.
        done = max(0, len(kept) - self._window)
        self._kept, self._kept_from = kept[done:], self._kept_from + done
        return starts, windows

    def end(self) -> tuple[np.ndarray, np.ndarray]:
        """The last window, likewise; none of a recording without samples."""
        if not len(self._kept):
            return np.zeros(0, np.int64), np.zeros((0, self._window), "f4")
        # What is as long as a window stays as it is.
        window = np.resize(self._kept, self._window)
        return np.array([self._kept_from]), window[None]
