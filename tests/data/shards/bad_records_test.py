import csv

import numpy as np
import pytest
import tensorflow as tf

from data.run.errors import UserError
from data.shards import shard_offsets
from data.shards.bad_records import BadRecord, BadRecords, examine
from data.shards.shard_offsets import HEADER_BYTES
from tests.data.shards.damaged_shards import cut, flip, index_of


def causes(index, numbers):
    return [row.cause for row in examine(index, numbers)]


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
    assert row.clip_id == "clip3" or part == "body"
    assert causes(index_of(info), [0, 2, 3]) == ["passing"] * 3


def test_a_cut_shard_is_truncated_and_a_missing_one_missing(info):
    index = index_of(info)
    cut(info.folder / "train-0.tfrecord", index.offset_of[2] + 5)
    (info.folder / "train-1.tfrecord").unlink()
    # The same when seen before it happened.
    for seen in (index, index_of(info)):
        parts = ["passing"] * 2, ["truncated"] * 2, ["missing_file"] * 4
        assert causes(seen, range(9)) == [*sum(parts, []), "passing"]
    (info.folder / shard_offsets.OFFSETS_FILE).unlink()
    rows = examine(index_of(info), range(1, 5))
    wanted = ["passing", "truncated", "truncated", "missing_file"]
    assert [row.cause for row in rows] == wanted
    assert rows[2].offset == "" and "not 924" in rows[2].reason


def test_what_follows_a_damaged_length_without_offsets(info):
    (info.folder / shard_offsets.OFFSETS_FILE).unlink()
    flip(info.folder / "train-0.tfrecord", index_of(info).offset_of[2])
    rows = examine(index_of(info), range(1, 5))
    wanted = ["passing", "checksum", "checksum", "passing"]
    assert [row.cause for row in rows] == wanted
    assert rows[2][:4] == ("train-0.tfrecord", 3, "", "")
    assert "length" in rows[2].reason


def test_a_file_that_cannot_be_opened_is_unreadable(info):
    index = index_of(info)
    file = info.folder / "train-0.tfrecord"
    file.unlink()
    file.mkdir()
    unreadable, passing = examine(index, [0, 4])
    assert (unreadable.cause, unreadable.clip_id) == ("unreadable", "")
    assert (passing.cause, passing.clip_id) == ("passing", "clip1")


def test_a_right_checksum_over_wrong_contents(info):
    file = info.folder / "train-0.tfrecord"
    records = [r.numpy() for r in tf.data.TFRecordDataset(str(file))]
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in [b"\xff" * len(records[0]), *records[1:]]:
            writer.write(record)
    assert causes(index_of(info), [0, 1]) == ["not_an_example", "passing"]


def listed(folder):
    file = folder / "bad_records.csv"
    if not file.exists():
        return None
    with file.open(encoding="utf-8", newline="") as stream:
        return [tuple(row.values()) for row in csv.DictReader(stream)]


def row(record, cause="checksum", shard="b.tfrecord"):
    return BadRecord(shard, record, 7 * record, f'é"{record}\n', cause, "why")


def test_rows_are_written_sorted_and_once(tmp_path):
    records = BadRecords(tmp_path, 1000, 0.5)
    records.add([row(3), row(1)])
    records.add([row(2, "truncated", "a.tfrecord"), row(3)])
    assert len(records) == 3
    assert listed(tmp_path) == [
        ("a.tfrecord", "2", "14", 'é"2\n', "truncated", "why"),
        ("b.tfrecord", "1", "7", 'é"1\n', "checksum", "why"),
        ("b.tfrecord", "3", "21", 'é"3\n', "checksum", "why"),
    ]


def test_the_limit_is_a_share_of_distinct_records(tmp_path, caplog):
    records = BadRecords(tmp_path, 300, 0.01)
    records.add([row(1), row(2), row(3, "truncated")])
    assert "(2 checksum, 1 truncated)" in caplog.text
    records.add([row(1), row(2), row(3, "truncated")])
    told = (
        r"4 of 300 clips cannot be read \(0.013\), more than "
        r"--max_bad_fraction=0.01 allows; 3 are checksum, as record 1 of "
        r"b.tfrecord: why. All are listed in .*bad_records.csv; write those "
        r"shards again or raise --max_bad_fraction$"
    )
    with pytest.raises(UserError, match=told):
        records.add([row(4)])
    assert len(listed(tmp_path)) == 4


def test_a_stage_without_the_flag_does_not_name_it(tmp_path):
    records = BadRecords(tmp_path, 10, 0.1, flag="")
    with pytest.raises(UserError, match="more than 0.1 of them;.*again$"):
        records.add([row(4), row(5)])


def test_failed_records_are_examined_once(info, tmp_path, monkeypatch):
    flip(info.folder / "train-0.tfrecord", 30)
    index = index_of(info)
    records = BadRecords.of_run(index, tmp_path, 0.5)
    assert listed(tmp_path) is None
    # Record 3 fails only now and then.
    records.add_failed(index, np.array([0, 3, 0]))
    assert [found[:2] + found[3:5] for found in listed(tmp_path)] == [
        ("train-0.tfrecord", "0", "clip0", "checksum"),
        ("train-0.tfrecord", "3", "clip9", "passing"),
    ]
    monkeypatch.setattr(
        "data.shards.bad_records.examine",
        lambda index, numbers: 1 / 0 if numbers else [],
    )
    records.add_failed(index, [0])
    with pytest.raises(ZeroDivisionError):
        records.add_failed(index, [0, 1])


def test_what_is_not_there_is_listed_from_the_start(info, tmp_path):
    cut(info.folder / "train-2.tfrecord", 300)
    BadRecords.of_run(index_of(info), tmp_path, 0.2)
    assert [r[:2] + r[4:5] for r in listed(tmp_path)] == [
        ("train-2.tfrecord", "1", "truncated"),
        ("train-2.tfrecord", "2", "truncated"),
    ]
    with pytest.raises(UserError, match="2 of 11 clips"):
        BadRecords.of_run(index_of(info), tmp_path, 0.15)


def test_a_run_that_goes_on_keeps_what_is_still_bad(info, tmp_path):
    whole = (info.folder / "train-0.tfrecord").read_bytes()
    flip(info.folder / "train-0.tfrecord", 30)
    flip(info.folder / "train-1.tfrecord", 30)
    index = index_of(info)
    BadRecords.of_run(index, tmp_path, 0.5).add_failed(index, [0, 4])
    before = (tmp_path / "bad_records.csv").read_bytes()
    assert len(BadRecords.of_run(index_of(info), tmp_path, 0.5)) == 2
    assert (tmp_path / "bad_records.csv").read_bytes() == before
    (info.folder / "train-0.tfrecord").write_bytes(whole)
    again = BadRecords.of_run(index_of(info), tmp_path, 0.5)
    assert len(again) == 1 and listed(tmp_path)[0][0] == "train-1.tfrecord"
    # Other shards of the same list stay in it and are not counted.
    alone = BadRecords.of_run(index.of_shard(2), tmp_path, 0)
    assert len(alone) == 0 and len(listed(tmp_path)) == 1
    flip(info.folder / "train-1.tfrecord", 30)
    BadRecords.of_run(index_of(info), tmp_path, 0.5)
    assert listed(tmp_path) is None


@pytest.mark.parametrize("text", ["no,such,columns\n1,2,3\n", "record\na\n"])
def test_a_damaged_list_is_begun_anew(info, tmp_path, text):
    (tmp_path / "bad_records.csv").write_text(text)
    assert len(BadRecords.of_run(index_of(info), tmp_path, 0)) == 0
