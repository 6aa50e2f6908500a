import pytest
import tensorflow as tf

from data import record_reader
from data.dataset_info import DatasetInfo, Shard
from data.user_error import UserError

NAMES = [f"clip {k} {'x' * k}" for k in range(11)]


@pytest.fixture
def info(tmp_path):
    """Eleven records of different size, in three shards of two splits."""
    splits = {"train": [NAMES[:3], NAMES[3:8]], "eval": [NAMES[8:]]}
    described = {}
    for split, shards in splits.items():
        described[split] = ()
        for number, names in enumerate(shards):
            file = tmp_path / f"{split}-{number}.tfrecord"
            with tf.io.TFRecordWriter(str(file)) as writer:
                for name in names:
                    writer.write(name.encode())
            shard = Shard(file.name, len(names), 1.0, file.stat().st_size)
            described[split] += (shard,)
    info = DatasetInfo(tmp_path, 16000, "pcm16", (), described)
    info.save()
    return info


def read(info, count, seed=5, start=0, splits=("train", "eval")):
    stream = record_reader.read_shuffled(info, splits, seed, start)
    stream = stream.take(count).as_numpy_iterator()
    positions, records = zip(*stream, strict=True)
    return list(positions), [record.decode() for record in records]


def test_in_order_is_as_stored(info):
    records = record_reader.read_in_order(info, ["train", "eval"])
    assert [r.decode() for r in records.as_numpy_iterator()] == NAMES
    records = record_reader.read_in_order(info, ["eval"])
    assert [r.decode() for r in records.as_numpy_iterator()] == NAMES[8:]


def test_each_epoch_is_another_permutation(info):
    positions, records = read(info, 33)
    assert positions == list(range(33))
    epochs = [records[:11], records[11:22], records[22:]]
    for epoch in epochs:
        assert sorted(epoch) == sorted(NAMES)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_only_the_splits_asked_for_are_read(info):
    _, records = read(info, 8, splits=("train",))
    assert sorted(records) == sorted(NAMES[:8])


def test_the_order_is_the_seeds(info):
    assert read(info, 33) == read(info, 33)
    assert read(info, 11)[1] != read(info, 11, seed=6)[1]


@pytest.mark.parametrize("start", [1, 10, 11, 25])
def test_starting_later_equals_skipping(info, start):
    positions, records = read(info, 40)
    assert read(info, 40 - start, start=start) == (
        positions[start:],
        records[start:],
    )


def test_a_shard_of_another_size_is_told(info):
    file = info.folder / "train-1.tfrecord"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(UserError, match="train-1.tfrecord has .* bytes"):
        DatasetInfo.load(info.folder)
    file.unlink()
    with pytest.raises(UserError, match="train-1.tfrecord is missing"):
        DatasetInfo.load(info.folder)


def test_a_shard_with_damaged_lengths_is_told(info):
    file = info.folder / "train-0.tfrecord"
    content = bytearray(file.read_bytes())
    content[0] += 1
    file.write_bytes(content)
    with pytest.raises(UserError, match="train-0.tfrecord is damaged"):
        record_reader.read_shuffled(info, ["train"], 0)


def test_a_damaged_record_is_an_error_not_another_record(info):
    file = info.folder / "eval-0.tfrecord"
    content = bytearray(file.read_bytes())
    content[14] ^= 1
    file.write_bytes(content)
    with pytest.raises(tf.errors.DataLossError):
        read(info, 3, splits=("eval",))


def test_an_unknown_split_is_told(info):
    with pytest.raises(UserError, match="no split 'test': it has eval, train"):
        record_reader.read_in_order(info, ["test"])
