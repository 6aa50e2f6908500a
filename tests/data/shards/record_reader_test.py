import numpy as np
import pytest
import tensorflow as tf

from data.shards import example_schema, record_reader
from data.shards.record_check import parse_checked
from data.shards.record_index import RecordIndex
from data.shards.record_reader import FAILED, POSITION
from tests.data.shards.damaged_shards import (
    NAMES,
    STORED,
    cut,
    eleven,
    flip,
    index_of,
)


@pytest.fixture
def info(tmp_path):
    return eleven(tmp_path)


def read(index, count, seed=5, start=0, **worker):
    """Position, clip id and failed attempts of `count` elements."""

    def to_id(position, record):
        return parse_checked(record, index.info)[example_schema.CLIP_ID]

    stream = record_reader.shuffled_examples(
        index, to_id, seed, start, **worker
    )
    return [
        (int(read_status[POSITION]), clip_id.decode(), int(read_status[FAILED]))
        for clip_id, read_status in stream.take(count).as_numpy_iterator()
    ]


def names(elements):
    return [name for _, name, _ in elements]


def in_order(index):
    """Clip ids, and numbers of the records left out."""

    def to_id(record):
        return parse_checked(record, index.info)[example_schema.CLIP_ID]

    failed = []
    found = record_reader.examples_in_order(index, to_id, failed.extend)
    return [clip_id.decode() for clip_id in found], failed


def test_in_order_is_as_stored(info):
    assert in_order(index_of(info)) == (STORED, [])
    alone = index_of(info).of_shard(2)
    assert in_order(alone) == (STORED[8:], [])


def test_each_epoch_is_another_permutation(info):
    elements = read(index_of(info), 33)
    assert [position for position, _, _ in elements] == list(range(33))
    assert not any(failed for _, _, failed in elements)
    epochs = [names(elements[k : k + 11]) for k in (0, 11, 22)]
    for epoch in epochs:
        assert sorted(epoch) == sorted(NAMES)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_the_order_is_the_seeds(info):
    index = index_of(info)
    assert read(index, 33) == read(index, 33)
    assert read(index, 11) != read(index, 11, seed=6)


@pytest.mark.parametrize("start", [1, 10, 11, 25])
def test_starting_later_equals_skipping(info, start):
    index = index_of(info)
    assert read(index, 40 - start, start=start) == read(index, 40)[start:]


@pytest.mark.parametrize("num_workers", [2, 3])
@pytest.mark.parametrize("start", [0, 7])
def test_workers_share_the_positions(info, num_workers, start):
    index = index_of(info)
    parts = [
        read(index, 20, start=start, worker=k, num_workers=num_workers)
        for k in range(num_workers)
    ]
    for worker, part in enumerate(parts):
        assert all(p % num_workers == worker for p, _, _ in part)
    together = sorted(element for part in parts for element in part)
    assert together == read(index, 20 * num_workers, start=start)
    # So a step of a global batch sees the same clips with any number.
    assert names(sorted(e for part in parts for e in part[:11]))[:11] == names(
        read(index, 11, start=start)
    )


def _assert_only_replaced(damaged, whole, bad):
    """Positions of `bad` clips have others, all other positions are equal."""
    for (position, name, failed), (at, before, _) in zip(
        damaged, whole, strict=True
    ):
        assert position == at and name not in bad
        assert (failed > 0) == (before in bad)
        if not failed:
            assert name == before


@pytest.mark.parametrize("num_workers", [2, 3])
def test_in_each_epoch_every_clip_is_read_by_one_worker(info, num_workers):
    readers = {}
    for worker in range(num_workers):
        part = read(index_of(info), 20, worker=worker, num_workers=num_workers)
        for position, name, _ in part:
            readers.setdefault((position // 11, name), []).append(worker)
    owners = []
    for epoch in range(3):
        by_name = {n: w for (e, n), w in readers.items() if e == epoch}
        assert sorted(by_name) == sorted(NAMES)
        assert all(len(workers) == 1 for workers in by_name.values())
        owners.append(by_name)
    # No worker is stuck with a part of the clips.
    assert owners[0] != owners[1] != owners[2]


def test_a_damaged_record_costs_its_own_position_only(info):
    whole = read(index_of(info), 44)
    file = info.folder / "train-0.tfrecord"
    flip(file, index_of(info).offset_of[1] + 40)  # Of clip3.
    index = index_of(info)
    damaged = read(index, 44)
    _assert_only_replaced(damaged, whole, {"clip3"})
    assert sum(failed > 0 for _, _, failed in damaged) == 4
    # Exact from any position on, and for any number of workers.
    assert read(index, 30, start=14) == damaged[14:]
    assert read(index, 20, worker=1, num_workers=2) == damaged[1:40:2]
    assert in_order(index) == ([n for n in STORED if n != "clip3"], [1])


def test_replacements_are_known_from_the_positions(info):
    index = index_of(info)
    bad = [0, 1, 3, 4, 6, 7]
    for number in bad:  # A length, its checksum, what it is of.
        byte = index.offset_of[number] + (0, 9, 20)[number % 3]
        flip(index.file_of(number), byte)
    elements = [e for e in read(index, 60) if e[2]]
    assert max(failed for _, _, failed in elements) > 1
    tried = record_reader.numbers_tried(
        index,
        5,
        [position for position, _, _ in elements],
        [failed for _, _, failed in elements],
    )
    assert set(tried) == set(bad)
    assert len(tried) == sum(failed for _, _, failed in elements)


def test_a_missing_or_cut_shard_leaves_the_order_of_the_others(info):
    whole = read(index_of(info), 44)
    (info.folder / "train-1.tfrecord").unlink()
    lost = set(STORED[4:8])
    _assert_only_replaced(read(index_of(info), 44), whole, lost)
    assert in_order(index_of(info)) == (STORED[:4] + STORED[8:], [4, 5, 6, 7])
    cut(info.folder / "train-0.tfrecord", index_of(info).offset_of[3] + 9)
    _assert_only_replaced(read(index_of(info), 44), whole, lost | {"clip9"})


def test_a_shard_that_goes_missing_later_does_not_stop_the_stream(info):
    index = index_of(info)
    whole = read(index, 44)
    (info.folder / "train-1.tfrecord").unlink()
    _assert_only_replaced(read(index, 44), whole, set(STORED[4:8]))
    assert in_order(index) == (STORED[:4] + STORED[8:], [4, 5, 6, 7])


def test_where_nothing_can_be_read_the_position_is_told(info):
    index = index_of(info)
    for number in range(3):
        (info.folder / f"train-{number}.tfrecord").unlink()
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        read(index, 1, start=17)
    assert record_reader.unreadable_position(caught.value) == 17
    assert in_order(index) == ([], list(range(11)))
    other = tf.errors.InvalidArgumentError(None, None, "shapes differ")
    assert record_reader.unreadable_position(other) is None


def test_a_raising_function_costs_the_record(info):
    index = index_of(info)

    def not_clip_4(position, record):
        clip = parse_checked(record, info)
        check = tf.debugging.Assert(
            clip[example_schema.CLIP_ID] != "clip4", ["refused"]
        )
        with tf.control_dependencies([check]):
            return tf.identity(clip[example_schema.CLIP_ID])

    stream = record_reader.shuffled_examples(index, not_clip_4, 5).take(44)
    replaced = [
        (int(read_status[POSITION]), clip_id.decode(), int(read_status[FAILED]))
        for clip_id, read_status in stream.as_numpy_iterator()
    ]
    _assert_only_replaced(replaced, read(index, 44), {"clip4"})


def test_one_record_by_its_number(info):
    index = index_of(info)
    for number, name in enumerate(STORED):
        record = record_reader.read_record(index, number)
        assert example_schema.parse(record)[example_schema.CLIP_ID] == name
    flip(info.folder / "train-0.tfrecord", index.offset_of[2] + 30)
    with pytest.raises(tf.errors.DataLossError):
        record_reader.read_record(index, 2)


def test_a_single_clip_repeats(info, tmp_path):
    index = index_of(info).of_shard(2)
    one = RecordIndex(
        index.info,
        index.shards,
        index.file_bytes,
        *(
            part[:1]
            for part in (index.shard_of, index.offset_of, index.size_of)
        ),
    )
    assert names(read(one, 5)) == ["clip2"] * 5


def test_positions_far_on_are_reached_at_once(info):
    index = index_of(info)
    far = 2 * 10**9 * 11
    elements = read(index, 11, start=far)
    assert [p for p, _, _ in elements] == list(range(far, far + 11))
    assert sorted(names(elements)) == sorted(NAMES)
    assert np.unique(names(elements)).size == 11


@pytest.mark.parametrize(
    "num_workers, start", [(2, 0), (2, 13), (3, 3), (3, 20)]
)
def test_workers_take_blocks_of_positions(info, num_workers, start):
    index = index_of(info)
    shares = {"num_workers": num_workers, "block": 4}
    # All up to the end of a round.
    stop = 4 * num_workers * 3
    parts = []
    for worker in range(num_workers):
        own = [p for p in range(start, stop) if p // 4 % num_workers == worker]
        part = read(index, len(own), start=start, worker=worker, **shares)
        assert [p for p, _, _ in part] == own
        parts += part
    assert sorted(parts) == read(index, stop - start, start=start)
