import dataclasses

import numpy as np
import pytest

from data.shards import example_schema, shard_offsets
from data.shards.shard_writer import ShardWriter


def example(size, clip_id="a", labels=(), audio=b""):
    return example_schema.serialize(clip_id, "b" * size, 0.0, labels, audio, 0)


def test_offsets_are_where_the_records_start(tmp_path):
    records = [example(size) for size in (7, 0, 100)]
    with ShardWriter(tmp_path / "a") as writer:
        for record in records:
            writer.write(record)
    offsets = writer.as_json()["offsets"]
    first, second, third = map(len, records)
    assert offsets == [0, 16 + first, 32 + first + second]
    content = (tmp_path / "a").read_bytes()
    for offset, written in zip(offsets, records, strict=True):
        assert content[offset + 12 : offset + 12 + len(written)] == written
    assert len(content) == 48 + first + second + third


def test_the_digest_of_sound_is_blind_to_labels_only(tmp_path):
    digests = set()
    for number, options in enumerate(
        [{}, {"labels": (0, 2)}, {"audio": b"other"}, {"clip_id": "other"}]
    ):
        with ShardWriter(tmp_path / str(number)) as writer:
            writer.write(example(7, **options))
        digests.add(writer.as_json()["sound_sha256"])
        if number == 1:
            assert len(digests) == 1
            first, second = ((tmp_path / k).read_bytes() for k in "01")
            assert first != second
    assert len(digests) == 3


def test_they_are_read_back_by_shard(info):
    offsets = shard_offsets.read(info)
    assert list(offsets) == [f"train-{k}.tfrecord" for k in range(3)]
    assert [len(offsets[file]) for file in offsets] == [4, 4, 3]
    again = {file: values.tolist() for file, values in offsets.items()}
    file = info.folder / shard_offsets.OFFSETS_FILE
    before = file.read_bytes()
    shard_offsets.write(info, again)
    assert file.read_bytes() == before


def test_offsets_of_another_dataset_are_not_used(info):
    file = info.folder / shard_offsets.OFFSETS_FILE
    values = np.load(file)
    values[3] += 1
    np.save(file, values)
    assert shard_offsets.read(info) is None


@pytest.mark.parametrize("size", [0, 150])
def test_a_damaged_file_is_not_used(info, size):
    file = info.folder / shard_offsets.OFFSETS_FILE
    file.write_bytes(file.read_bytes()[:size])
    assert shard_offsets.read(info) is None


def test_offsets_of_another_number_of_clips_are_not_used(info):
    first, *others = info.splits["train"]
    fewer = dataclasses.replace(first, clips=first.clips - 1)
    changed = dataclasses.replace(info, splits={"train": (fewer, *others)})
    assert shard_offsets.read(info) and shard_offsets.read(changed) is None
