import dataclasses
import os

import pytest

from data.run.atomic_write import write_json
from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings.heard_clips import has_heard
from tests.evaluate.toy_runs import balanced_clips, write_toy_shards


@pytest.fixture
def info(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    splits = {name: balanced_clips(1, 0.1) for name in ("a", "b", "eval")}
    return write_toy_shards(tmp_path / "shards", splits)


def write_record(folder, stage="pretrain_contrastive", **config):
    folder.mkdir(exist_ok=True)
    record = {
        "stage": stage,
        "config": {"shards": "shards", **config},
        "working_directory": os.getcwd(),
    }
    write_json(folder / "config.json", record)
    return str(folder)


def heard(run, info):
    return [split for split in info.splits if has_heard(run, info, split)]


def test_splits_are_those_of_the_run(info, tmp_path, monkeypatch):
    run = write_record(tmp_path / "run", splits=["b"])
    assert heard(run, info) == ["b"]
    monkeypatch.chdir("/")
    assert heard(run, info) == ["b"]
    monkeypatch.chdir(tmp_path)
    write_record(tmp_path / "run", splits=[])
    assert heard(run, info) == ["a", "b"]


def test_runs_that_it_started_from_count(info, tmp_path):
    first = write_record(
        tmp_path / "first", splits=["a"], initial_encoder="second"
    )
    second = write_record(
        tmp_path / "second", splits=["b"], initial_encoder="first"
    )
    # Where the first was made again, from what came of it.
    assert heard(first, info) == heard(second, info) == ["a", "b"]
    write_record(tmp_path / "second", splits=["eval"])
    assert heard(first, info) == ["a", "eval"]


def test_separated_shards_are_known_by_what_they_came_from(info, tmp_path):
    run = write_record(tmp_path / "run", splits=["a"])
    other = write_toy_shards(
        tmp_path / "separated",
        {name: [(0.2, ())] for name in ("b", "a", "eval")},
    )
    separated = dataclasses.replace(other, processors=("S1",), num_channels=2)
    separated.save()
    assert not heard(run, separated)
    write_record(tmp_path / "separated", "separate_shards")
    assert heard(run, separated) == ["a"]
    trained_there = write_record(
        tmp_path / "there", splits=["b"], shards="separated"
    )
    assert (
        heard(trained_there, info) == heard(trained_there, separated) == ["b"]
    )


def test_of_what_is_gone_nothing_is_known(info, tmp_path):
    run = write_record(tmp_path / "run", splits=["a"], initial_encoder="gone")
    assert heard(run, info) == ["a"]
    (tmp_path / "shards").rename(tmp_path / "moved")
    assert not heard(run, DatasetInfo.load("moved"))
