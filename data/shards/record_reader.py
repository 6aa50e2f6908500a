"""Reads shards record by record, in an order that is a function of a step.

Position k of the stream is clip `shuffle(seed, epoch)[k mod N]`. Nothing is
buffered to shuffle: each record is read by its offset, so the order is a
permutation of the whole dataset, any position can be jumped to at once, and
a resumed run sees the data that an uninterrupted one would have seen.

A record that cannot be used costs its own position only: another one, drawn
for that position, is read instead.

Positions 2k and 2k + 1 never hold the same record (unless most are bad): who
adds up neighbours never adds a clip to itself.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from data.shards.record_index import RecordIndex

# Records tried for one position: with 1 % of all bad, one position in 1e16
# finds none (our choice).
ATTEMPTS = 8

# Keys of what is told about an element of the shuffled stream.
POSITION = "position"
FAILED = "failed"

_LANES = 4

_NOTHING = "no record can be read for position "

# There is nothing to tune, and the thread that would tune may sleep on for up
# to a minute after its iterator is gone, which waits for it.
_OPTIONS = tf.data.Options()
_OPTIONS.autotune.enabled = False
# Looking for something to fuse takes longer than to trace all of it.
_OPTIONS.experimental_optimization.apply_default_optimizations = False


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
    records = _Records(index)

    def attempt(number: tf.Tensor) -> tf.data.Dataset:
        def to_element(record):
            return number, to_example(record)

        return records.read(number, to_element).ignore_errors()

    elements = tf.data.Dataset.range(len(index)).interleave(
        attempt, cycle_length=4, num_parallel_calls=2, deterministic=True
    )
    elements = elements.prefetch(4).with_options(_OPTIONS)
    following = 0
    for number, example in elements.as_numpy_iterator():
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
    records, order = _Records(index), _Order(index, seed)

    def element(position, record, tried):
        read_status = {POSITION: position, FAILED: tf.cast(tried, tf.int32)}
        return to_example(position, record), read_status

    # A function of its own, so that it is traced once.
    @tf.function(input_signature=3 * [tf.TensorSpec([], tf.int64)])
    def attempt(position, number, tried):
        return records.read(
            number, lambda record: element(position, record, tried)
        )

    def others(position):
        """All other attempts that succeed, then the failure."""
        replacements = tf.data.Dataset.range(1, ATTEMPTS).flat_map(
            lambda tried: attempt(
                position, order.replacement(position, tried), tried
            )
        )

        def failure(_):
            text = tf.strings.join([_NOTHING, tf.strings.as_string(position)])
            stop = tf.raw_ops.Assert(condition=False, data=[text])
            with tf.control_dependencies([stop]):
                return tf.nest.map_structure(
                    lambda spec: tf.zeros(
                        [size or 0 for size in spec.shape], spec.dtype
                    ),
                    replacements.element_spec,
                )

        last = tf.data.Dataset.range(1).map(failure)
        return replacements.ignore_errors().concatenate(last)

    def at_position(position: tf.Tensor) -> tf.data.Dataset:
        """Of one element, whatever it takes."""
        first = attempt(position, order.number_at(position), 0)
        # Nothing of the second part is made unless the first one is empty.
        second = tf.data.Dataset.range(1).flat_map(lambda _: others(position))
        return first.ignore_errors().concatenate(second).take(1)

    # Workers take turns with a block of positions each; so many of this one's
    # come before `start`.
    turn = block * num_workers
    turns, rest = divmod(start, turn)
    done = turns * block + min(max(rest - worker * block, 0), block)

    # Lanes that take turns: each is read in a thread of its own, and an
    # element a turn keeps the order.
    def lane(number: tf.Tensor) -> tf.data.Dataset:
        numbers = tf.data.Dataset.range(
            done + number, np.iinfo(np.int64).max, _LANES
        )
        return numbers.flat_map(
            lambda n: at_position(
                n // block * turn + worker * block + n % block
            )
        )

    return (
        tf.data.Dataset.range(_LANES)
        .interleave(
            lane,
            cycle_length=_LANES,
            num_parallel_calls=_LANES,
            deterministic=True,
        )
        .with_options(_OPTIONS)
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
        tries = [order.number_at(place)][:count]
        for tried in range(1, count):
            tries.append(order.replacement(place, np.int64(tried)))
        numbers += map(int, tries)
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


class _Records:
    """The records of an index, by number."""

    def __init__(self, index: RecordIndex):
        self._files = tf.constant(
            [str(index.info.folder / shard.file) for shard in index.shards]
        )
        self._shard_of, self._offset_of, self._size_of = map(
            tf.constant, (index.shard_of, index.offset_of, index.size_of)
        )

    def read(
        self, number: tf.Tensor, to_element: Callable[[tf.Tensor], Any]
    ) -> tf.data.Dataset:
        """Of one element; iterating raises where there is none."""
        records = _records_at(
            self._files[self._shard_of[number]],
            self._offset_of[number],
            self._size_of[number],
        )
        # A missing file is an error each time that it is asked for a record;
        # it is asked once, since `ignore_errors` would ask for ever.
        once = tf.data.Dataset.range(1)
        return tf.data.Dataset.zip(once, records).map(
            lambda _, record: to_element(record)
        )


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
        epoch, place = position // self._total, position % self._total
        if self._total % 2 and self._total > 1:
            # A pair may hold the end of an epoch and the start of the next:
            # where these are one record, the next one's first two swap.
            first = self._shuffled(epoch, tf.zeros_like(place))
            before = self._shuffled(epoch - 1, self._total - 1)
            is_twice = (epoch > 0) & (first == before) & (place < 2)
            place = tf.where(is_twice, 1 - place, place)
        return self._shuffled(epoch, place)

    def _shuffled(self, epoch: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
        return tf.random.experimental.index_shuffle(
            tf.cast(place, tf.int64),
            tf.cast(tf.stack([self._seed, epoch]), tf.uint32),
            tf.constant(self._total - 1, tf.int64),
        )

    def replacement(self, position: tf.Tensor, tried: tf.Tensor) -> tf.Tensor:
        """A record that is there, after `tried` could not be used.

        Half of the attempts are every other one of those for even positions,
        the rest of those for odd positions; the others go on with the other
        half. The one that the other position of the pair should hold is
        passed over.
        """
        count = len(self._present)
        kind = (position + tried // (1 + ATTEMPTS // 2)) % 2
        size = tf.maximum((count + 1 - kind) // 2, 1)
        drawn = tf.random.stateless_uniform(
            [],
            tf.stack([self._seed, position]),
            maxval=size,
            dtype=tf.int64,
            alg="philox",
        )
        rank = (2 * ((drawn + tried) % size) + kind) % count
        following = tf.where(rank + 2 < count, rank + 2, kind % count)
        # Of one or two there is no other of its kind.
        following = tf.where(following == rank, (rank + 1) % count, following)
        beside = self.number_at(position + 1 - 2 * (position % 2))
        is_beside = self._present[rank] == beside
        return self._present[tf.where(is_beside, following, rank)]
