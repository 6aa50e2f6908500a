import pytest
import tensorflow as tf

from data.shards import shard_offsets
from data.shards.bad_record import examine
from data.shards.record_header import HEADER_BYTES
from tests.data.shards.damaged_shards import cut, eleven, flip, index_of
from tests.train.small_shards import RATE_HZ


@pytest.fixture
def info(tmp_path):
    return eleven(tmp_path)


def causes(index, numbers):
    return [row.cause for row in examine(index, numbers)]


def _rewritten(info, number, change):
    """Record 0 of a shard replaced by one of the same size, checksum right."""
    file = info.folder / f"train-{number}.tfrecord"
    records = [r.numpy() for r in tf.data.TFRecordDataset(str(file))]
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in [change(records[0]), *records[1:]]:
            writer.write(record)
    return index_of(info)


def test_good_records_pass(info):
    index = index_of(info)
    rows = examine(index, range(11))
    assert {row.cause for row in rows} == {"passing"}
    assert [row.clip_id for row in rows[:5]] == [
        "clip0",
        "clip3",
        "clip6",
        "clip9",
        "clip1",
    ]
    place = (rows[5].shard, rows[5].record, rows[5].offset)
    assert place == ("train-1.tfrecord", 1, index.offset_of[5])


@pytest.mark.parametrize("part", ["length", "its checksum", "body", "checksum"])
def test_a_flipped_bit_is_a_checksum(info, part):
    index = index_of(info)
    byte = {
        "length": index.offset_of[1],
        "its checksum": index.offset_of[1] + 9,
        "body": index.offset_of[1] + HEADER_BYTES + 200,
        "checksum": index.offset_of[2] - 2,
    }[part]
    flip(info.folder / "train-0.tfrecord", byte)
    [row] = examine(index_of(info), [1])
    assert row[:3] == ("train-0.tfrecord", 1, index.offset_of[1])
    assert row.cause == "checksum" and "not those written" in row.reason
    assert row.clip_id in ("clip3", "")
    assert part == "body" or row.clip_id == "clip3"
    assert causes(index_of(info), [0, 2, 3]) == ["passing"] * 3


def test_a_cut_shard_is_truncated_and_a_missing_one_missing(info):
    index = index_of(info)
    cut(info.folder / "train-0.tfrecord", index.offset_of[2] + 5)
    (info.folder / "train-1.tfrecord").unlink()
    # The same when seen before it happened.
    for seen in (index, index_of(info)):
        assert causes(seen, range(9)) == [
            *["passing"] * 2,
            *["truncated"] * 2,
            *["missing_file"] * 4,
            "passing",
        ]
    (info.folder / shard_offsets.OFFSETS_FILE).unlink()
    rows = examine(index_of(info), range(9))
    assert [row.cause for row in rows[1:5]] == [
        "passing",
        "truncated",
        "truncated",
        "missing_file",
    ]
    assert rows[3].offset == "" and "not 924" in rows[3].reason


def test_what_follows_a_damaged_length_without_offsets(info):
    (info.folder / shard_offsets.OFFSETS_FILE).unlink()
    flip(info.folder / "train-0.tfrecord", index_of(info).offset_of[2])
    rows = examine(index_of(info), range(5))
    assert [row.cause for row in rows] == [
        "passing",
        "passing",
        "checksum",
        "checksum",
        "passing",
    ]
    assert rows[3][:4] == ("train-0.tfrecord", 3, "", "")
    assert "length" in rows[3].reason


def test_a_file_that_cannot_be_opened_is_unreadable(info):
    index = index_of(info)
    file = info.folder / "train-0.tfrecord"
    file.unlink()
    file.mkdir()
    rows = examine(index, [0, 4])
    assert (rows[0].cause, rows[0].clip_id) == ("unreadable", "")
    assert rows[1].cause == "passing"


def test_right_checksums_over_wrong_contents(info):
    def noise(record):
        return b"\xff" * len(record)

    def version_9(record):
        return record.replace(
            b"\n\x07version\x12\x05\x1a\x03\n\x01\x01",
            b"\n\x07version\x12\x05\x1a\x03\n\x01\x09",
        )

    assert causes(_rewritten(info, 0, noise), [0, 1]) == [
        "not_an_example",
        "passing",
    ]
    [row] = examine(_rewritten(info, 1, version_9), [4])
    assert (row.cause, row.clip_id) == ("wrong_version", "clip1")
    assert "version 9" in row.reason


def test_audio_that_is_none(tmp_path):
    info = eleven(tmp_path, audio_format="flac")

    def no_frames(record):
        at = record.index(b"fLaC") + 42
        return record[:at] + b"\0" * 30 + record[at + 30 :]

    [row] = examine(_rewritten(info, 2, no_frames), [8])
    assert (row.cause, row.clip_id) == ("undecodable", "clip2")
    assert RATE_HZ == 16000
