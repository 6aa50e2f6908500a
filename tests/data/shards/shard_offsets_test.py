import numpy as np
import pytest

from data.shards import shard_offsets
from data.shards.shard_writer import ShardWriter


def test_offsets_are_where_the_records_start(tmp_path):
    records = [b"a" * 7, b"", b"bc" * 50]
    with ShardWriter(tmp_path / "a") as writer:
        for record in records:
            writer.write(record)
    assert writer.offsets == [0, 23, 39]
    content = (tmp_path / "a").read_bytes()
    for offset, record in zip(writer.offsets, records, strict=True):
        assert content[offset + 12 : offset + 12 + len(record)] == record
    assert len(content) == 39 + 116


def test_they_are_read_back_by_shard(info):
    offsets = shard_offsets.read(info)
    assert list(offsets) == [f"train-{k}.tfrecord" for k in range(3)]
    assert [len(offsets[file]) for file in offsets] == [4, 4, 3]
    again = {file: values.tolist() for file, values in offsets.items()}
    file = info.folder / shard_offsets.OFFSETS_FILE
    before = file.read_bytes()
    shard_offsets.write(info, again)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values[:-1],
        lambda values: values.astype("f8"),
        lambda values: values[[0, 2, 1, *range(3, 11)]],
        lambda values: np.where(np.arange(11) == 3, 10**6, values),
        lambda values: np.where(np.arange(11) == 4, 1, values),
    ],
    ids=["fewer", "float", "swapped", "past the end", "late start"],
)
def test_offsets_that_do_not_fit_are_not_used(info, change):
    file = info.folder / shard_offsets.OFFSETS_FILE
    np.save(file, change(np.load(file)))
    assert shard_offsets.read(info) is None


@pytest.mark.parametrize("size", [0, 150])
def test_a_damaged_file_is_not_used(info, size):
    file = info.folder / shard_offsets.OFFSETS_FILE
    file.write_bytes(file.read_bytes()[:size])
    assert shard_offsets.read(info) is None
