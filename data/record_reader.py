"""Reads shards record by record, in an order that is a function of a step.

Position k of the stream is clip `shuffle(seed, epoch)[k mod N]`. Nothing is
buffered to shuffle: each record is read by its offset, so the order is a
permutation of the whole dataset, any position can be jumped to at once, and
a resumed run sees the data that an uninterrupted one would have seen.

A record that cannot be used costs its own position only: another one, drawn
for that position, is read instead.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from data.record_index import RecordIndex

# Records tried for one position: with 1 % of all bad, one position in 1e16
# finds none (our choice).
ATTEMPTS = 8

# Keys of what is told about an element of the shuffled stream.
POSITION = "position"
FAILED = "failed"

_LANES = 4

_NOTHING = "no record can be read for position "


def examples_in_order(
    index: RecordIndex,
    to_example: Callable[[tf.Tensor], Any],
    on_failed: Callable[[list[int]], None],
) -> Iterator[Any]:
    """Every record once, as stored; those that cannot be used are left out.

    Args:
      index: of the records.
      to_example: scalar string -> element, in the graph; may raise.
      on_failed: called with the numbers of records left out; may raise.

    Yields:
      Elements as NumPy arrays and bytes.
    """
    read = _reader(index)

    def attempt(number: tf.Tensor) -> tf.data.Dataset:
        def to_element(record):
            return number, to_example(record)

        return read(number, to_element).ignore_errors()

    elements = tf.data.Dataset.range(len(index)).interleave(
        attempt, cycle_length=4, num_parallel_calls=2, deterministic=True
    )
    following = 0
    for number, example in elements.prefetch(4).as_numpy_iterator():
        if number > following:
            on_failed([*range(following, number)])
        following = int(number) + 1
        yield example
    if following < len(index):
        on_failed([*range(following, len(index))])


def shuffled_examples(
    index: RecordIndex,
    to_example: Callable[[tf.Tensor, tf.Tensor], Any],
    seed: int,
    start: int = 0,
    worker: int = 0,
    num_workers: int = 1,
    block: int = 1,
) -> tf.data.Dataset:
    """An endless stream of examples, in another order each epoch.

    Args:
      index: of the records.
      to_example: (position, record), scalar int64 and string -> example; may
        raise. It must be a function of both, and hold no op with a state:
        under op determinism one such op ends all parallel reading. Random
        ops need `alg="philox"`, since the default asks the device, which
        counts as a state.
      seed: of the order.
      start: position to start at (examples seen before, by all workers).
      worker, num_workers, block: this one reads the positions p >= start
        with p // block % num_workers == worker, so together they read each
        position once, in blocks.

    Returns:
      Elements (example, {POSITION: scalar int64, FAILED: scalar int32}): the
      number of records that could not be used before one could. Where none
      of `ATTEMPTS` can, iterating raises, see `unreadable_position`.
    """
    read, order = _reader(index), _Order(index, seed)

    def read_position(position: tf.Tensor) -> tf.data.Dataset:
        def to_element(record, tried):
            health = {POSITION: position, FAILED: tf.cast(tried, tf.int32)}
            return to_example(position, record), health

        def attempt(number, tried):
            return read(number, lambda record: to_element(record, tried))

        def replace(_):
            others = tf.data.Dataset.range(1, ATTEMPTS).flat_map(
                lambda tried: attempt(order.replacement(position, tried), tried)
            )
            failure = tf.data.Dataset.range(1).map(fail)
            return others.ignore_errors().concatenate(failure)

        def fail(_):
            text = tf.strings.join([_NOTHING, tf.strings.as_string(position)])
            stop = tf.raw_ops.Assert(condition=False, data=[text])
            with tf.control_dependencies([stop]):
                return to_element(tf.identity(""), ATTEMPTS)

        first = attempt(order.number_at(position), 0).ignore_errors()
        # Nothing of the second part is made unless the first one is empty.
        second = tf.data.Dataset.range(1).flat_map(replace)
        return first.concatenate(second).take(1)

    # The worker's own positions, by number.
    rounds, rest = divmod(start, block * num_workers)
    first = rounds * block + min(max(rest - worker * block, 0), block)

    def read_number(number: tf.Tensor) -> tf.data.Dataset:
        round_start = number // block * block * num_workers
        return read_position(round_start + worker * block + number % block)

    # Lanes that take turns: each is read in a thread of its own, and an
    # element a turn keeps the order.
    def lane(number: tf.Tensor) -> tf.data.Dataset:
        numbers = tf.data.Dataset.range(
            first + number, np.iinfo(np.int64).max, _LANES
        )
        return numbers.flat_map(read_number)

    return tf.data.Dataset.range(_LANES).interleave(
        lane,
        cycle_length=_LANES,
        num_parallel_calls=_LANES,
        deterministic=True,
    )


def numbers_tried(
    index: RecordIndex,
    seed: int,
    positions: Iterable[int],
    failed: Iterable[int],
) -> list[int]:
    """The records that could not be used at some positions.

    Args:
      index, seed: as of `shuffled_examples`.
      positions, failed: values that came with its elements.
    """
    order, numbers = _Order(index, seed), []
    for position, count in zip(positions, failed, strict=True):
        place = tf.constant(position, tf.int64)
        numbers += [int(order.number_at(place))][:count]
        numbers += [
            int(order.replacement(place, tf.constant(tried, tf.int64)))
            for tried in range(1, count)
        ]
    return numbers


def unreadable_position(error: tf.errors.OpError) -> int | None:
    """The position that an error of `shuffled_examples` is about, if any."""
    found = re.search(_NOTHING + r"(\d+)", error.message)
    return int(found[1]) if found else None


def read_record(index: RecordIndex, number: int) -> bytes:
    """One record as stored.

    Raises:
      OpError: its file is missing, or its bytes are not those written.
    """
    return _one_record(
        str(index.file_of(number)),
        index.offset_of[number],
        index.size_of[number],
    ).numpy()


@tf.function(
    input_signature=[
        tf.TensorSpec([], tf.string),
        tf.TensorSpec([], tf.int64),
        tf.TensorSpec([], tf.int64),
    ]
)
def _one_record(file, offset, size):
    # Not at the top level: there the op loses its offsets.
    records = tf.data.Dataset.range(1).flat_map(
        lambda _: _records_at(file, offset, size)
    )
    return records.take(1).get_single_element()


def _reader(
    index: RecordIndex,
) -> Callable[[tf.Tensor, Callable], tf.data.Dataset]:
    """(number of a record, function of it) -> a dataset of that one value."""
    files = tf.constant([str(index.info.folder / s.file) for s in index.shards])
    shard_of, offset_of, size_of = map(
        tf.constant, (index.shard_of, index.offset_of, index.size_of)
    )

    def read(number: tf.Tensor, function: Callable) -> tf.data.Dataset:
        records = _records_at(
            files[shard_of[number]], offset_of[number], size_of[number]
        )
        # A missing file is an error each time that it is asked for a record;
        # it is asked once, since `ignore_errors` would ask for ever.
        once = tf.data.Dataset.range(1)
        return tf.data.Dataset.zip(once, records).map(
            lambda _, record: function(record)
        )

    return read


def _records_at(file, offset, size) -> tf.data.Dataset:
    """The record at an offset of a file, and those after it."""
    return tf.data.experimental.from_variant(
        # The public TFRecordDataset takes no byte offsets; its op does.
        tf.raw_ops.TFRecordDatasetV2(
            filenames=[file],
            compression_type="",
            buffer_size=size,
            byte_offsets=[offset],
        ),
        tf.TensorSpec([], tf.string),
    )


class _Order:
    """Which record is read at a position."""

    def __init__(self, index: RecordIndex, seed: int):
        self._total, self._seed = len(index), tf.constant(seed, tf.int64)
        self._present = tf.constant(index.present)

    def number_at(self, position: tf.Tensor) -> tf.Tensor:
        """Each record once in an epoch, there or not."""
        epoch = position // self._total
        return tf.random.experimental.index_shuffle(
            position % self._total,
            tf.cast(tf.stack([self._seed, epoch]), tf.uint32),
            tf.constant(self._total - 1, tf.int64),
        )

    def replacement(self, position: tf.Tensor, tried: tf.Tensor) -> tf.Tensor:
        """Any record that is there, after `tried` could not be used."""
        drawn = tf.random.stateless_uniform(
            [],
            tf.random.fold_in(
                tf.stack([self._seed, position]), tried, alg="philox"
            ),
            maxval=tf.size(self._present, tf.int64),
            dtype=tf.int64,
            alg="philox",
        )
        return self._present[drawn]
