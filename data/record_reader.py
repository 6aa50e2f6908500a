"""Reads shards record by record, in an order that is a function of a step.

Position k of the stream is clip `shuffle(seed, epoch)[k mod N]`. Nothing is
buffered to shuffle: each record is read by its offset, so the order is a
permutation of the whole dataset, any position can be jumped to at once, and
a resumed run sees the data that an uninterrupted one would have seen.
"""

import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from data.dataset_info import DatasetInfo, Shard
from data.user_error import UserError

# Length (8 bytes) and its checksum (4) before a record, a checksum after it.
_RECORD_OVERHEAD = 16


def read_in_order(info: DatasetInfo, splits: Sequence[str]) -> tf.data.Dataset:
    """All records of the splits once, as stored: scalar strings."""
    files = [str(info.folder / s.file) for s in info.shards_of(splits)]
    return tf.data.TFRecordDataset(files)


def read_shuffled(
    info: DatasetInfo, splits: Sequence[str], seed: int, start: int = 0
) -> tf.data.Dataset:
    """An endless stream of records, in another order each epoch.

    Args:
      info: the dataset.
      splits: names of its splits.
      seed: of the order.
      start: position to start at (examples seen before).

    Returns:
      Elements (position, record): scalar int64 and scalar string.
    """
    shards = info.shards_of(splits)
    files = tf.constant([str(info.folder / s.file) for s in shards])
    shard_of, offset_of, size_of = (
        tf.constant(column) for column in _index(info.folder, shards)
    )
    num_clips = shard_of.shape[0]

    def read(position: tf.Tensor) -> tf.data.Dataset:
        epoch = position // num_clips
        clip = tf.random.experimental.index_shuffle(
            position % num_clips,
            tf.cast(tf.stack([tf.cast(seed, tf.int64), epoch]), tf.uint32),
            tf.constant(num_clips - 1, tf.int64),
        )
        records = tf.data.experimental.from_variant(
            # The public TFRecordDataset takes no byte offsets; its op does.
            tf.raw_ops.TFRecordDatasetV2(
                filenames=files[shard_of[clip]][None],
                compression_type="",
                buffer_size=size_of[clip],
                byte_offsets=offset_of[clip][None],
            ),
            tf.TensorSpec([], tf.string),
        )
        return records.take(1).map(lambda record: (position, record))

    return tf.data.Dataset.range(start, np.iinfo(np.int64).max).interleave(
        read, cycle_length=4, num_parallel_calls=2, deterministic=True
    )


def _index(
    folder: pathlib.Path, shards: Sequence[Shard]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shard, byte offset and size in bytes of every record: int64 (N,)."""
    shard_of, offset_of, size_of = [], [], []
    for number, shard in enumerate(shards):
        file, position, records = folder / shard.file, 0, 0
        with file.open("rb") as stream:
            while position < shard.num_bytes:
                stream.seek(position)
                size = int.from_bytes(stream.read(8), "little")
                size += _RECORD_OVERHEAD
                shard_of.append(number)
                offset_of.append(position)
                size_of.append(size)
                position += size
                records += 1
        if position != shard.num_bytes or records != shard.clips:
            raise UserError(
                f"shard {file} is damaged: {records} records where "
                f"{shard.clips} were written; write the shards again"
            )
    columns = (shard_of, offset_of, size_of)
    return tuple(np.asarray(column, np.int64) for column in columns)
