import csv
from unittest import mock

import pytest

from data.run.errors import UserError
from evaluate.embeddings import embedding_job
from evaluate.embeddings.embedding_store import EmbeddingStore
from evaluate.embeddings.encoders import kept_encoder, load_encoders
from tests.data.jobs.runners import ELSEWHERE
from tests.data.write_shards_test import contents
from tests.evaluate.toy_runs import damage, write_toy_run, write_toy_shards

CLIPS = [(0.5, (0,)), (1.5, (1,)), (0.7, ()), (0.4, (2,)), (0.9, (0, 2))]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embedding_job")
    write_toy_run(folder / "run", folder / "shards")
    [encoder] = load_encoders([str(folder / "run")])
    return encoder


@pytest.fixture
def info(tmp_path):
    return write_toy_shards(
        tmp_path / "shards", {"train": CLIPS}, clips_per_shard=3
    )


def embed(encoder, info, folder, runner=None):
    return embedding_job.run(
        encoder, info, ["train"], folder, "index.json", runner
    )


def clip_ids(folder, accounts):
    stores = [EmbeddingStore.load(folder / a["shard"]) for a in accounts]
    return EmbeddingStore.concatenate(stores).clip_ids


@ELSEWHERE
def test_every_runner_gives_the_same_files(
    encoder, info, tmp_path, monkeypatch, make_runner
):
    monkeypatch.setattr(embedding_job, "MAX_BAD_FRACTION", 0.2)
    damage(info, "train", record=1)
    folders = tmp_path / "here", tmp_path / "there"
    accounts = [
        embed(encoder, info, folder, runner)
        for folder, runner in zip(folders, (None, make_runner()), strict=True)
    ]
    assert accounts[0] == accounts[1]
    here, there = map(contents, folders)
    assert here == there
    assert {"train.npz", "train-1.npz", "bad_records.csv"} <= here.keys()


def test_an_encoder_that_changed_since_the_start_is_told(encoder):
    with pytest.raises(UserError, match="run holds another encoder than when"):
        kept_encoder(encoder.encoder, "0" * 64)


def test_too_many_bad_records_stop_the_job(encoder, info, tmp_path):
    damage(info, "train", record=1)
    with pytest.raises(UserError, match="1 of 5 clips cannot be read"):
        embed(encoder, info, tmp_path / "out")


def test_bad_records_are_listed_and_repaired_shards_embedded_again(
    encoder, info, tmp_path, monkeypatch
):
    monkeypatch.setattr(embedding_job, "MAX_BAD_FRACTION", 0.2)
    folder = tmp_path / "out"
    shard = tmp_path / "shards" / "train.tfrecord"
    whole = shard.read_bytes()
    damage(info, "train", record=1)
    # The same start and end: only reading the record again tells.
    embed(encoder, info, folder)
    again = embed(encoder, info, folder)
    assert clip_ids(folder, again) == tuple(f"train/{k}" for k in (0, 2, 3, 4))
    assert [account["bad_records"] for account in again] == [[1], []]
    with (folder / "bad_records.csv").open(encoding="utf-8") as stream:
        [row] = csv.DictReader(stream)
    assert (row["shard"], row["record"]) == ("train.tfrecord", "1")
    assert (row["cause"], row["clip_id"]) == ("checksum", "train/1")
    shard.write_bytes(whole)
    spy = mock.Mock(wraps=embedding_job.embed_shard)
    monkeypatch.setattr(embedding_job, "embed_shard", spy)
    repaired = embed(encoder, info, folder)
    [made] = spy.call_args_list
    assert made.args[1].shards[0].file == "train.tfrecord"
    assert clip_ids(folder, repaired) == tuple(f"train/{k}" for k in range(5))
    assert not (folder / "bad_records.csv").exists()


@pytest.mark.parametrize("failures", [1, 9])
def test_a_record_that_could_be_read_is_tried_once_more(
    encoder, info, tmp_path, monkeypatch, failures
):
    """As of storage that fails now and then."""
    monkeypatch.setattr(embedding_job, "MAX_BAD_FRACTION", 0.2)
    embed_shard = embedding_job.embed_shard
    made = []

    def fail_at_first(representation, index, advance):
        made.append(index.shards[0].file)
        store, failed = embed_shard(representation, index, advance)
        if made[-1] == "train.tfrecord" and len(made) <= failures:
            failed = [1]
        return store, failed

    monkeypatch.setattr(embedding_job, "embed_shard", fail_at_first)
    accounts = embed(encoder, info, tmp_path / "out")
    assert made == 2 * ["train.tfrecord"] + ["train-1.tfrecord"]
    assert accounts[0]["bad_records"] == ([1] if failures > 1 else [])
    listed = tmp_path / "out" / "bad_records.csv"
    assert listed.exists() == (failures > 1)
    if listed.exists():
        assert ",train/1,passing," in listed.read_text()


def test_no_file_for_a_shard_without_clips(encoder, tmp_path):
    info = write_toy_shards(
        tmp_path / "shards", {"train": CLIPS[:2], "none": []}
    )
    accounts = embedding_job.run(
        encoder, info, ["train", "none"], tmp_path, "index.json"
    )
    assert [account["shard"] for account in accounts] == ["train.npz"]
