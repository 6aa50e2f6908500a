"""Writes the records of a shard and keeps where each of them starts."""

import hashlib
import os

import google_crc32c

from data.shards.example_schema import without_labels
from data.shards.shard_offsets import FRAME_BYTES


class ShardWriter:
    """A TFRecord file, to be used in a `with` statement.

    The bytes are those of `tf.io.TFRecordWriter`: of each record its length (64
    bits, little-endian), a checksum of that, the record, and its checksum.
    """

    def __init__(self, path: str | os.PathLike):
        self._offsets: list[int] = []
        self._file = open(path, "wb")
        self._end = 0
        self._sound = hashlib.sha256()

    def as_json(self) -> dict:
        """`offsets`, and `sound_sha256`, the digest of records less labels."""
        return {
            "offsets": self._offsets,
            "sound_sha256": self._sound.hexdigest(),
        }

    def write(self, record: bytes) -> None:
        length = len(record).to_bytes(8, "little")
        for part in (length, _checksum(length), record, _checksum(record)):
            self._file.write(part)
        self._sound.update(without_labels(record))
        self._offsets.append(self._end)
        self._end += len(record) + FRAME_BYTES

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, *error) -> None:
        self._file.close()


def _checksum(content: bytes) -> bytes:
    """CRC-32C, rotated by 15 bits and moved, as TFRecord has it."""
    crc = google_crc32c.value(content)
    rotated = crc >> 15 | crc << 17
    return (rotated + 0xA282EAD8 & 0xFFFFFFFF).to_bytes(4, "little")
