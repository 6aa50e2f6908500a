"""Writes the records of a shard and keeps where each of them starts."""

import hashlib
import os

import tensorflow as tf

from data.shards.example_schema import without_labels
from data.shards.shard_offsets import FRAME_BYTES


class ShardWriter:
    """A TFRecord file, to be used in a `with` statement."""

    def __init__(self, path: str | os.PathLike):
        self._offsets: list[int] = []
        self._writer = tf.io.TFRecordWriter(os.fspath(path))
        self._end = 0
        self._sound = hashlib.sha256()

    def as_json(self) -> dict:
        """`offsets`, and `sound_sha256`, the digest of records less labels."""
        return {
            "offsets": self._offsets,
            "sound_sha256": self._sound.hexdigest(),
        }

    def write(self, record: bytes) -> None:
        self._writer.write(record)
        self._sound.update(without_labels(record))
        self._offsets.append(self._end)
        self._end += len(record) + FRAME_BYTES

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, *error) -> None:
        self._writer.close()
