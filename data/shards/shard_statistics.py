"""What shards hold, in numbers, and the files that end the writing of them."""

import collections
import dataclasses
import itertools
from collections.abc import Mapping, Sequence

from data.audio.audio_header import AudioHeader
from data.shards import shard_offsets
from data.shards.dataset_info import DatasetInfo, Shard

CONVERSIONS = (
    "upsampled",
    "downsampled",
    "mixed_down",
    "clipped_at_full_scale",
    "rescaled",
)


def conversions(
    header: AudioHeader, over_full_scale: bool, sample_rate_hz: int
) -> tuple[str, ...]:
    """Those of `CONVERSIONS` that were done to a clip to get it.

    Args:
      header: of its recording.
      over_full_scale: whether a sample was beyond +-1.
      sample_rate_hz: of the clip.
    """
    done = (
        header.sample_rate_hz < sample_rate_hz,
        header.sample_rate_hz > sample_rate_hz,
        header.num_channels > 1,
        over_full_scale,
        header.full_scale != 1,
    )
    return tuple(itertools.compress(CONVERSIONS, done))


def finish(
    info: DatasetInfo, by_split: Mapping[str, Sequence[dict]]
) -> DatasetInfo:
    """Writes `offsets.npy`, then `dataset.json`, which says: it is done.

    Args:
      info: the dataset, but for its splits and the totals in its summary.
      by_split: the accounts of the shards of each split, in order.

    Returns:
      `info` with these.
    """
    splits = {
        split: tuple(
            Shard(
                a["shard"],
                a["clips"],
                a["seconds"],
                a["num_bytes"],
                a["sha256"],
                a["sound_sha256"],
            )
            for a in accounts
        )
        for split, accounts in by_split.items()
    }

    def sums(key: str) -> dict[str, float]:
        return {
            split: sum(account[key] for account in accounts)
            for split, accounts in by_split.items()
        }

    totals = {
        "clips": sums("clips"),
        "seconds": {s: round(total, 3) for s, total in sums("seconds").items()},
        "unlabeled": sums("unlabeled"),
        "clips_per_class": {
            split: {
                name: sum(a["labels"].get(name, 0) for a in accounts)
                for name in info.class_names
            }
            for split, accounts in by_split.items()
        },
    }
    summary = totals | info.summary | totals  # Totals first, and the new ones.
    finished = dataclasses.replace(info, splits=splits, summary=summary)
    accounts = itertools.chain.from_iterable(by_split.values())
    offsets = {a["shard"]: a["offsets"] for a in accounts}
    digest = shard_offsets.write(finished, offsets)
    finished = dataclasses.replace(finished, offsets_sha256=digest)
    finished.save()
    return finished


class ShardStatistics:
    """Counts what goes into a shard."""

    def __init__(self, sample_rate_hz: int):
        self._rate_hz = sample_rate_hz
        self._clips = self._samples = self._unlabeled = 0
        self._labels = collections.Counter()
        self._counts = collections.Counter(dict.fromkeys(CONVERSIONS, 0))

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
        self._counts.update(conversions)

    def as_json(self) -> dict:
        """What `shard_jobs.run` keeps.

        Keys `clips`, `seconds`, `labels` (clips of each class name),
        `unlabeled`, `counts` (one for each of `CONVERSIONS`).
        """
        return {
            "clips": self._clips,
            "seconds": self._samples / self._rate_hz,
            "labels": dict(sorted(self._labels.items())),
            "unlabeled": self._unlabeled,
            "counts": self._counts,
        }
