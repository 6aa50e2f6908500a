"""What a shard holds and what was left out of it, in numbers."""

import collections
import itertools
from collections.abc import Mapping, Sequence

from data.audio.sound_file import AudioClip
from data.run.rejects import Reject

CONVERSIONS = (
    "upsampled",
    "downsampled",
    "mixed_down",
    "clipped_at_full_scale",
)


def conversions(clip: AudioClip, sample_rate_hz: int) -> tuple[str, ...]:
    """Those of `CONVERSIONS` that were done to a clip to get it."""
    done = (
        clip.header.sample_rate_hz < sample_rate_hz,
        clip.header.sample_rate_hz > sample_rate_hz,
        clip.header.num_channels > 1,
        clip.over_full_scale,
    )
    return tuple(itertools.compress(CONVERSIONS, done))


def totals(
    by_split: Mapping[str, Sequence[dict]], class_names: Sequence[str]
) -> dict:
    """Sums over the accounts of each split, for `DatasetInfo.summary`."""

    def sums(key: str) -> dict[str, float]:
        return {
            split: sum(account[key] for account in accounts)
            for split, accounts in by_split.items()
        }

    return {
        "clips": sums("clips"),
        "seconds": {s: round(total, 3) for s, total in sums("seconds").items()},
        "unlabeled": sums("unlabeled"),
        "clips_per_class": {
            split: {
                name: sum(a["labels"].get(name, 0) for a in accounts)
                for name in class_names
            }
            for split, accounts in by_split.items()
        },
    }


class ShardStatistics:
    """Counts what goes into a shard."""

    def __init__(self, sample_rate_hz: int):
        self._rate_hz = sample_rate_hz
        self._clips = self._samples = self._unlabeled = 0
        self._labels = collections.Counter()
        self._counts = dict.fromkeys(CONVERSIONS, 0)
        self._rejects: list[Reject] = []

    def add(
        self,
        num_samples: int,
        labels: Sequence[str],
        conversions: Sequence[str] = (),
    ) -> None:
        """Counts a clip that was written."""
        self._clips += 1
        self._samples += num_samples
        self._labels.update(labels)
        self._unlabeled += not labels
        for name in conversions:
            self._counts[name] += 1

    def add_reject(self, reject: Reject) -> None:
        self._rejects.append(reject)

    def as_json(self) -> dict:
        """What `shard_jobs.run` keeps.

        Keys `clips`, `seconds`, `labels` (clips of each class name),
        `unlabeled`, `counts` (one for each of `CONVERSIONS`), `rejects`.
        """
        return {
            "clips": self._clips,
            "seconds": self._samples / self._rate_hz,
            "labels": dict(sorted(self._labels.items())),
            "unlabeled": self._unlabeled,
            "counts": self._counts,
            "rejects": self._rejects,
        }
