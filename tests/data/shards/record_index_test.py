import numpy as np
import pytest

from data.run.errors import UserError
from data.shards import shard_offsets
from data.shards.record_reader import read_record
from tests.data.shards.damaged_shards import cut, flip, index_of


def _without_offsets(info):
    (info.folder / shard_offsets.OFFSETS_FILE).unlink()
    return index_of(info)


def test_headers_tell_what_the_offsets_tell(info):
    known, found = index_of(info), _without_offsets(info)
    assert len(known) == len(found) == 11
    for name in ("shard_of", "offset_of", "size_of", "file_bytes", "present"):
        np.testing.assert_array_equal(
            getattr(known, name), getattr(found, name)
        )
    np.testing.assert_array_equal(
        known.shard_of, np.repeat([0, 1, 2], [4, 4, 3])
    )


def test_a_shard_alone(info):
    whole = index_of(info)
    alone = whole.of_shard(1)
    assert len(alone) == 4
    for number in range(4):
        assert read_record(alone, number) == read_record(whole, 4 + number)
        assert whole.place(4 + number) == ("train-1.tfrecord", number)
        assert alone.place(number) == ("train-1.tfrecord", number)


# All but the last two of the first shard.
LEFT = [0, 1, *range(4, 11)]


def test_of_a_cut_shard_the_first_records_are_present(info):
    file = info.folder / "train-0.tfrecord"
    third = index_of(info).offset_of[2]
    for size in third + 20, third:
        cut(file, size)
        assert index_of(info).present.tolist() == LEFT
    assert _without_offsets(info).present.tolist() == LEFT


def test_a_damaged_length_hides_nothing_where_offsets_are_known(info):
    flip(info.folder / "train-0.tfrecord", index_of(info).offset_of[1])
    assert len(index_of(info).present) == 11
    index = _without_offsets(info)
    # Its end is wrong by one byte, and that is no length.
    assert index.present.tolist() == LEFT
    # There is nothing at the end of the shard, so nothing is read by mistake.
    assert set(index.offset_of[2:4]) == {info.splits["train"][0].num_bytes}


def test_nothing_to_read_is_told(info):
    for number in range(3):
        (info.folder / f"train-{number}.tfrecord").unlink()
    with pytest.raises(UserError, match="no record of train can be read"):
        index_of(info)
