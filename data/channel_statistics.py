"""What the channels of one processor are like, in numbers."""

import math
from collections.abc import Sequence

import numpy as np

from data import clip_level
from data.clip_level import LSB
from data.level_histogram import LevelHistogram


class ChannelStatistics:
    """Counts the channels that one processor made of clips.

    Args:
      num_channels: M.
      silence_db: RMS, dB re full scale, below which a channel is nearly empty;
        without any sound it is empty.
    """

    def __init__(self, num_channels: int, silence_db: float):
        self.silence_db = silence_db
        self.clips = 0
        # Level of each channel less that of the mixture.
        self.relative = [LevelHistogram(-60, 12) for _ in range(num_channels)]
        self.nearly_empty = np.zeros(num_channels, np.int64)
        self.empty = np.zeros(num_channels, np.int64)
        self.deviating = 0
        self.largest_deviation_lsb = 0
        self.largest_deviation_clip = ""

    def add(
        self, clip_id: str, mixture: np.ndarray, channels: Sequence[np.ndarray]
    ) -> None:
        """Counts M channels, each (T,), of a mixture (T,)."""
        self.clips += 1
        mixture_db = clip_level.rms_db(mixture)
        for number, channel in enumerate(channels):
            level_db = clip_level.rms_db(channel)
            self.nearly_empty[number] += level_db < self.silence_db
            self.empty[number] += level_db == -math.inf
            if mixture_db > -math.inf:
                self.relative[number].add(level_db - mixture_db)
        difference = np.sum(channels, axis=0) - mixture
        deviation_lsb = round(float(np.abs(difference).max(initial=0)) / LSB)
        # Rounding each of M channels can make M / 2.
        self.deviating += deviation_lsb > len(channels) / 2
        if deviation_lsb > self.largest_deviation_lsb:
            self.largest_deviation_lsb = deviation_lsb
            self.largest_deviation_clip = clip_id

    def merge(self, other: "ChannelStatistics") -> None:
        self.clips += other.clips
        for mine, others in zip(self.relative, other.relative, strict=True):
            mine.merge(others)
        self.nearly_empty += other.nearly_empty
        self.empty += other.empty
        self.deviating += other.deviating
        if other.largest_deviation_lsb > self.largest_deviation_lsb:
            self.largest_deviation_lsb = other.largest_deviation_lsb
            self.largest_deviation_clip = other.largest_deviation_clip

    def as_json(self) -> dict:
        return {
            "channels": [
                {
                    "relative_db": relative.as_json(),
                    "nearly_empty": int(self.nearly_empty[number]),
                    "empty": int(self.empty[number]),
                }
                for number, relative in enumerate(self.relative)
            ],
            "sum_deviates": self.deviating,
            "largest_deviation_lsb": self.largest_deviation_lsb,
            "largest_deviation_clip": self.largest_deviation_clip,
        }
