import pytest
import tensorflow as tf

from data.shards import example_parser, example_schema, record_reader
from data.shards.record_check import parse_checked
from data.shards.record_reader import FAILED, POSITION
from tests.data.shards.damaged_shards import (
    CLIPS,
    NAMES,
    STORED,
    flip,
    index_of,
)
from tests.train.small_shards import write_shards


def read(index, count, seed=5, start=0, refused="", **worker):
    """Position, clip id and failed attempts of `count` elements."""

    def to_id(position, record):
        clip_id = parse_checked(record, index.info)[example_schema.CLIP_ID]
        check = tf.raw_ops.Assert(condition=clip_id != refused, data=["no"])
        with tf.control_dependencies([check]):
            return tf.identity(clip_id)

    stream = record_reader.shuffled_examples(
        index, to_id, seed, start, **worker
    )
    return [
        (int(read_status[POSITION]), clip_id.decode(), int(read_status[FAILED]))
        for clip_id, read_status in stream.take(count).as_numpy_iterator()
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Elements of shards as those of `info`, with which nothing is wrong."""
    folder = tmp_path_factory.mktemp("whole")
    return read(index_of(write_shards(folder, CLIPS, num_shards=3)), 44)


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


def test_each_epoch_is_another_permutation(whole):
    assert [position for position, _, _ in whole] == list(range(44))
    assert not any(failed for _, _, failed in whole)
    epochs = [names(whole[k : k + 11]) for k in (0, 11, 22)]
    for epoch in epochs:
        assert sorted(epoch) == sorted(NAMES)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_the_order_is_the_seeds(info, whole):
    index = index_of(info)
    assert read(index, 33) == whole[:33]
    assert read(index, 11, seed=6) != whole[:11]


@pytest.mark.parametrize("start", [1, 11, 25])
def test_starting_later_equals_skipping(info, whole, start):
    assert read(index_of(info), 44 - start, start=start) == whole[start:]


def _assert_only_replaced(damaged, whole, bad):
    """Positions of `bad` clips have others, all other positions are equal."""
    for (position, name, failed), (at, before, _) in zip(
        damaged, whole, strict=True
    ):
        assert position == at and name not in bad
        assert (failed > 0) == (before in bad)
        if not failed:
            assert name == before


def test_a_damaged_record_costs_its_own_position_only(info, whole):
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


def test_a_shard_that_goes_missing_later_does_not_stop_the_stream(info, whole):
    index = index_of(info)
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


def test_a_raising_function_costs_the_record(info, whole):
    _assert_only_replaced(
        read(index_of(info), 44, refused="clip4"), whole, {"clip4"}
    )


@pytest.mark.parametrize(
    "clips", [2, 3, pytest.param(5, marks=pytest.mark.long)]
)
def test_no_pair_holds_one_record_twice(clips, tmp_path):
    info = write_shards(tmp_path, CLIPS[:clips], num_shards=1)
    found = names(read(index_of(info), 40 * clips))
    assert all(a != b for a, b in zip(found[::2], found[1::2], strict=True))
    for start in range(0, 40 * clips, clips):
        assert sorted(found[start : start + clips]) == NAMES[:clips]


@pytest.mark.parametrize(
    "clips, bad",
    [
        (3, (1,)),
        (4, (0, 3)),
        pytest.param(7, (0, 1), marks=pytest.mark.long),
    ],
)
def test_nor_where_records_are_replaced(clips, bad, tmp_path):
    info = write_shards(tmp_path, CLIPS[:clips], num_shards=1)
    index = index_of(info)
    for number in bad:
        flip(info.folder / "train-0.tfrecord", index.offset_of[number] + 30)
    elements = read(index, 90)
    assert sum(failed > 0 for _, _, failed in elements) > 20
    found = names(elements)
    assert all(a != b for a, b in zip(found[::2], found[1::2], strict=True))


def test_one_record_by_its_number(info):
    index = index_of(info)
    for number, name in enumerate(STORED):
        record = record_reader.read_record(index, number)
        assert example_parser.parse(record)[example_schema.CLIP_ID] == name
    flip(info.folder / "train-0.tfrecord", index.offset_of[2] + 30)
    with pytest.raises(tf.errors.DataLossError):
        record_reader.read_record(index, 2)


def test_a_function_is_traced_once(info):
    """Though it may be run for a replacement as well."""
    traces = []
    record_reader.shuffled_examples(
        index_of(info), lambda *inputs: traces.append(inputs) or inputs, 5
    )
    assert len(traces) == 1


def test_a_single_clip_repeats(tmp_path):
    one = write_shards(tmp_path, CLIPS[:1], num_shards=1)
    assert names(read(index_of(one), 5)) == ["clip0"] * 5


def test_positions_far_on_are_reached_at_once(info):
    index = index_of(info)
    far = 2 * 10**9 * 11
    elements = read(index, 11, start=far)
    assert [p for p, _, _ in elements] == list(range(far, far + 11))
    assert sorted(names(elements)) == sorted(NAMES)


@pytest.mark.parametrize(
    "num_workers, start, block",
    [
        (3, 7, 1),
        (2, 13, 4),
        pytest.param(3, 3, 4, marks=pytest.mark.long),
        pytest.param(2, 0, 1, marks=pytest.mark.long),
        pytest.param(3, 20, 4, marks=pytest.mark.long),
    ],
)
def test_workers_share_the_positions_in_blocks(
    info, whole, num_workers, start, block
):
    index = index_of(info)
    shares = {"num_workers": num_workers, "block": block}
    # All up to the end of a round.
    stop = 12 * num_workers
    parts = []
    for worker in range(num_workers):
        own = [
            position
            for position in range(start, stop)
            if position // block % num_workers == worker
        ]
        part = read(index, len(own), start=start, worker=worker, **shares)
        assert [p for p, _, _ in part] == own
        parts += part
    # So a step of a global batch sees the same clips with any number.
    assert sorted(parts) == whole[start:stop]
