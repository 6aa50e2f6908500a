"""Why a record of a shard cannot be read."""

from collections.abc import Iterable
from typing import NamedTuple

import tensorflow as tf
from google.protobuf.message import DecodeError

from data.shards import example_schema, record_check
from data.shards.record_header import FRAME_BYTES, HEADER_BYTES
from data.shards.record_index import RecordIndex, file_size
from data.shards.record_reader import read_record

# Causes, beside those of `record_check`.
MISSING_FILE = "missing_file"
TRUNCATED = "truncated"
CHECKSUM = "checksum"
UNREADABLE = "unreadable"  # No permission, for example.
# Read without a fault now: repaired, or storage that fails now and then.
PASSING = "passing"


class BadRecord(NamedTuple):
    """A line of the list.

    Attributes:
      shard: file name.
      record: which one of the shard, from 0.
      offset: byte at which it starts; "" where that is not known.
      clip_id: "" where it is not known.
      cause: one word to count by.
      reason: what was found.
    """

    shard: str
    record: int
    offset: int | str
    clip_id: str
    cause: str
    reason: str


def examine(index: RecordIndex, numbers: Iterable[int]) -> list[BadRecord]:
    """Reads records again, alone, to tell what is wrong with each."""
    found = []
    for number in numbers:
        offset = int(index.offset_of[number]) if index.size_of[number] else ""
        cause, reason, named = _diagnose(index, number)
        found.append(
            BadRecord(*index.place(number), offset, named, cause, reason)
        )
    return found


def _diagnose(index: RecordIndex, number: int) -> tuple[str, str, str]:
    """Cause, reason and clip id of a record."""
    has = file_size(index.file_of(number))
    if has < 0:
        return MISSING_FILE, "the shard is not there", ""
    wanted = index.shards[index.shard_of[number]].num_bytes
    end = index.offset_of[number] + max(index.size_of[number], 1)
    if end > has and has < wanted:
        return TRUNCATED, f"the shard has {has} bytes, not {wanted}", ""
    if not index.size_of[number]:
        return CHECKSUM, "its length or one before it is damaged", ""
    named = clip_id(index, number)
    try:
        record = read_record(index, number)
    except tf.errors.DataLossError:
        return CHECKSUM, "its bytes are not those written", named
    except tf.errors.OpError as error:
        return UNREADABLE, type(error).__name__, named
    fault = record_check.find_fault(record, index.info)
    return (*(fault or (PASSING, "it can be read now")), named)


def clip_id(index: RecordIndex, number: int) -> str:
    """The id that a record bears, though it may be damaged."""
    try:
        with index.file_of(number).open("rb") as stream:
            stream.seek(index.offset_of[number] + HEADER_BYTES)
            content = stream.read(index.size_of[number] - FRAME_BYTES)
        feature = tf.train.Example.FromString(content).features.feature
        [name] = feature[example_schema.CLIP_ID].bytes_list.value
        return name.decode()
    except (OSError, DecodeError, ValueError):
        return ""
