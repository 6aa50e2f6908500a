"""What the clips of a split and the channels of a processor are like."""

import collections
import math
from collections.abc import Sequence

import numpy as np

from data.audio import level
from data.audio.level import LSB, LevelHistogram
from data.shards.dataset_info import DatasetInfo
from data.shards.stored_clip import StoredClip


class SplitStatistics:
    """Counts clips; of a part of the shards, or merged, of all.

    Args:
      silence_db: RMS, dB re full scale, below which a clip is silent, and a
        channel nearly empty.
    """

    def __init__(self, info: DatasetInfo, silence_db: float):
        self.sample_rate_hz = info.sample_rate_hz
        self.silence_db = silence_db
        self.clips = self.samples = self.silent = self.clipped = 0
        self.shortest_s, self.longest_s = math.inf, 0.0
        self.class_clips = collections.Counter()
        self.labels_per_clip = collections.Counter()
        self.rms = LevelHistogram(-96, 3)
        self.peak = LevelHistogram(-96, 3)
        self.bad_records = collections.Counter()
        self.processors = {
            name: ChannelStatistics(info.num_channels, silence_db)
            for name in info.processors
        }

    def add(self, clip: StoredClip) -> None:
        samples = len(clip.mixture)
        self.clips += 1
        self.samples += samples
        seconds = samples / self.sample_rate_hz
        self.shortest_s = min(self.shortest_s, seconds)
        self.longest_s = max(self.longest_s, seconds)
        self.class_clips.update(clip.labels)
        self.labels_per_clip[len(clip.labels)] += 1
        rms_db = level.rms_db(clip.mixture)
        self.rms.add(rms_db)
        self.peak.add(level.peak_db(clip.mixture))
        self.silent += rms_db < self.silence_db
        self.clipped += level.is_clipped(clip.mixture)
        for name, channels in clip.channels.items():
            self.processors[name].add(clip.clip_id, clip.mixture, channels)

    @property
    def labeled(self) -> int:
        return self.clips - self.labels_per_clip[0]

    @property
    def mean_labels(self) -> float:
        """Labels a clip."""
        return self.class_clips.total() / max(self.clips, 1)

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate_hz

    def merge(self, other: "SplitStatistics") -> None:
        self.clips += other.clips
        self.samples += other.samples
        self.silent += other.silent
        self.clipped += other.clipped
        self.shortest_s = min(self.shortest_s, other.shortest_s)
        self.longest_s = max(self.longest_s, other.longest_s)
        self.class_clips.update(other.class_clips)
        self.labels_per_clip.update(other.labels_per_clip)
        self.rms.merge(other.rms)
        self.peak.merge(other.peak)
        self.bad_records.update(other.bad_records)
        for name, processor in self.processors.items():
            processor.merge(other.processors[name])

    def as_json(self) -> dict:
        return {
            "clips": self.clips,
            "seconds": self.seconds,
            "shortest_s": self.shortest_s if self.clips else None,
            "longest_s": self.longest_s,
            "labeled": self.labeled,
            "unlabeled": self.labels_per_clip[0],
            "labels_per_clip": dict(sorted(self.labels_per_clip.items())),
            "clips_per_class": dict(sorted(self.class_clips.items())),
            "rms_db": self.rms.as_json(),
            "peak_db": self.peak.as_json(),
            "silent": self.silent,
            "clipped": self.clipped,
            "bad_records": dict(sorted(self.bad_records.items())),
            "processors": {
                name: processor.as_json()
                for name, processor in self.processors.items()
            },
        }


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
        # In LSB, and the first clip that has it.
        self.largest_deviation = (0, "")

    def add(
        self, clip_id: str, mixture: np.ndarray, channels: Sequence[np.ndarray]
    ) -> None:
        """Counts M channels, each (T,), of a mixture (T,)."""
        self.clips += 1
        mixture_db = level.rms_db(mixture)
        for number, channel in enumerate(channels):
            level_db = level.rms_db(channel)
            self.nearly_empty[number] += level_db < self.silence_db
            self.empty[number] += level_db == -math.inf
            if mixture_db > -math.inf:
                self.relative[number].add(level_db - mixture_db)
        difference = np.sum(channels, axis=0) - mixture
        deviation_lsb = round(float(np.abs(difference).max(initial=0)) / LSB)
        # Rounding each of M channels can make M / 2.
        self.deviating += deviation_lsb > len(channels) / 2
        if deviation_lsb > self.largest_deviation[0]:
            self.largest_deviation = (deviation_lsb, clip_id)

    def merge(self, other: "ChannelStatistics") -> None:
        self.clips += other.clips
        for mine, others in zip(self.relative, other.relative, strict=True):
            mine.merge(others)
        self.nearly_empty += other.nearly_empty
        self.empty += other.empty
        self.deviating += other.deviating
        if other.largest_deviation[0] > self.largest_deviation[0]:
            self.largest_deviation = other.largest_deviation

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
            "largest_deviation_lsb": self.largest_deviation[0],
            "largest_deviation_clip": self.largest_deviation[1],
        }
