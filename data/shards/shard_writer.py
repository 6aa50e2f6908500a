"""Writes the records of a shard and keeps where each of them starts."""

import os

import tensorflow as tf

from data.shards.shard_offsets import FRAME_BYTES


class ShardWriter:
    """A TFRecord file, to be used in a `with` statement.

    Attributes:
      offsets: byte at which each record starts, for `shard_offsets`.
    """

    def __init__(self, path: str | os.PathLike):
        self.offsets: list[int] = []
        self._writer = tf.io.TFRecordWriter(os.fspath(path))
        self._end = 0

    def write(self, record: bytes) -> None:
        self._writer.write(record)
        self.offsets.append(self._end)
        self._end += len(record) + FRAME_BYTES

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, *error) -> None:
        self._writer.close()
