import csv

import numpy as np
import pytest

from data.run.errors import UserError
from data.shards.bad_record import BadRecord
from data.shards.bad_records import BadRecords
from tests.data.shards.damaged_shards import cut, eleven, flip, index_of


@pytest.fixture
def info(tmp_path):
    return eleven(tmp_path / "shards")


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
    assert records.count() == {"checksum": 2, "truncated": 1}
    assert [*records.count()] == ["checksum", "truncated"]


def test_the_limit_is_a_share_of_distinct_records(tmp_path):
    records = BadRecords(tmp_path, 300, 0.01)
    records.add([row(1), row(2), row(3, "truncated")])
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
    with pytest.raises(UserError) as caught:
        records.add([row(4), row(5)])
    message = str(caught.value)
    assert "more than 0.1 of them" in message and "--" not in message


def test_failed_records_are_examined_once(info, tmp_path, monkeypatch):
    flip(info.folder / "train-0.tfrecord", 30)
    index = index_of(info)
    records = BadRecords.of_run(index, tmp_path, 0.5)
    assert listed(tmp_path) is None
    records.add_failed(index, np.array([0, 0]))
    [found] = listed(tmp_path)
    assert found[:3] == ("train-0.tfrecord", "0", "0")
    assert found[4] == "checksum"
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


@pytest.mark.parametrize(
    "text", ["", "no,such,columns\n1,2,3\n", "shard,record\na,b\n"]
)
def test_a_damaged_list_is_begun_anew(info, tmp_path, text):
    (tmp_path / "bad_records.csv").write_text(text)
    assert len(BadRecords.of_run(index_of(info), tmp_path, 0)) == 0


def test_a_record_that_fails_only_now_and_then_is_listed(info, tmp_path):
    index = index_of(info)
    BadRecords.of_run(index, tmp_path, 0.5).add_failed(index, [3])
    [found] = listed(tmp_path)
    assert found[:2] + found[3:5] == (
        "train-0.tfrecord",
        "3",
        "clip9",
        "passing",
    )
