"""`offsets.npy`: where each record of each shard starts.

With it no shard has to be opened to know what it holds, and the records after
a damaged one can still be found. Beside `dataset.json`, one int64 for each
clip, in the order of its splits and shards.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from absl import logging

from data.run import content
from data.run.atomic_write import atomic_path
from data.shards.dataset_info import DATASET_FILE, DatasetInfo

OFFSETS_FILE = "offsets.npy"
# Of a TFRecord: its length and the checksum of that come before it, its own
# checksum after it.
HEADER_BYTES = 8 + 4
FRAME_BYTES = HEADER_BYTES + 4


def write(info: DatasetInfo, offsets: Mapping[str, Sequence[int]]) -> str:
    """Writes the file, before `dataset.json` says that the job is done.

    Args:
      info: the dataset.
      offsets: of the records of each shard, by its file name.

    Returns:
      Digest of the file, for `DatasetInfo.offsets_sha256`.
    """
    shards = itertools.chain.from_iterable(info.splits.values())
    parts = [np.asarray(offsets[shard.file], np.int64) for shard in shards]
    with atomic_path(info.folder / OFFSETS_FILE) as beside:
        np.save(beside, np.concatenate(parts))
        return content.file_sha256(beside)


def read(info: DatasetInfo) -> dict[str, np.ndarray] | None:
    """Offsets by shard; None without a file that belongs to `dataset.json`."""
    file = info.folder / OFFSETS_FILE
    if not file.exists():
        return None
    shards = info.shard_named.values()
    ends = np.cumsum([shard.clips for shard in shards])
    try:
        is_same = content.file_sha256(file) == info.offsets_sha256
        is_same = is_same and (offsets := np.load(file)).shape == (ends[-1],)
    except (OSError, ValueError):
        is_same = False
    if not is_same:
        logging.warning(
            "%s does not belong to %s: delete it; now every shard is read to "
            "find its records",
            file,
            DATASET_FILE,
        )
        return None
    parts = np.split(offsets, ends[:-1])
    return {s.file: part for s, part in zip(shards, parts, strict=True)}
