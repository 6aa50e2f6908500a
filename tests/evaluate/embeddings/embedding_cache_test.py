import dataclasses
import pathlib
import shutil

import numpy as np
import pytest

from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings import embedding_cache, embedding_job
from evaluate.embeddings.baselines import make_baselines
from evaluate.embeddings.encoders import load_encoders
from tests.evaluate.toy_runs import toy_encoder, write_toy_shards

CLIPS = {
    "train": [(0.5, (0,)), (1.0, (1,)), (0.7, (0, 1))],
    "eval": [(1.0, (2,))],
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embedding_cache")
    return toy_encoder(folder, CLIPS, clips_per_shard=2)


@pytest.fixture
def toy(shared, tmp_path):
    """Shards of the test's own, and an encoder that has embedded nothing."""
    info, encoder = shared
    shutil.rmtree(encoder.cache, ignore_errors=True)
    shutil.copytree(info.folder, tmp_path / "shards")
    return DatasetInfo.load(tmp_path / "shards"), encoder


def kept(encoder):
    return sorted(pathlib.Path(encoder.cache).iterdir())


def refuse(*args):
    raise AssertionError("embedded again")


def test_each_split_is_embedded_once(toy, monkeypatch):
    info, encoder = toy
    both = embedding_cache.embeddings(encoder, info, ["train", "eval"])
    assert both.clip_ids == ("train/0", "train/1", "train/2", "eval/3")
    np.testing.assert_array_equal(
        both.labels, [[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1]]
    )
    [folder] = kept(encoder)
    assert len([*folder.glob("*.npz")]) == 3
    monkeypatch.setattr(embedding_job, "embed_shard", refuse)
    # A process started later makes the same key.
    [encoder] = load_encoders([encoder.encoder])
    again = embedding_cache.embeddings(encoder, info, ["eval"])
    np.testing.assert_array_equal(again.clips, both.clips[3:])


def test_baselines_have_folders_of_their_own(toy):
    info, encoder = toy
    kinds = ("untrained", "log_mel_statistics")
    for seed in (0, 1):
        for baseline in make_baselines(kinds, [encoder], seed):
            embedding_cache.embeddings(baseline, info, ["eval"])
    names = [path.name.split("-")[0] for path in kept(encoder)]
    # The seed changes the untrained weights, and nothing else.
    assert names == ["log_mel_statistics", "untrained", "untrained"]


@pytest.fixture
def embedded(monkeypatch):
    """Names of the shards that are embedded from now on."""
    shards, embed_shard = [], embedding_job.embed_shard

    def spy(representation, index, advance):
        shards.append(index.shards[0].file)
        return embed_shard(representation, index, advance)

    monkeypatch.setattr(embedding_job, "embed_shard", spy)
    return shards


def test_only_shards_whose_clips_changed_are_embedded_again(
    toy, tmp_path, embedded
):
    info, encoder = toy
    splits = ["train", "eval"]
    before = embedding_cache.embeddings(encoder, info, splits)
    embedded.clear()
    # Two labels are swapped and a sound replaced: sizes stay.
    changed = {**CLIPS, "train": [(0.5, (1,)), (1.0, (0,)), (0.7, (0, 1))]}
    shutil.rmtree(tmp_path / "shards")
    info = write_toy_shards(tmp_path / "shards", changed, clips_per_shard=2)
    store = embedding_cache.embeddings(encoder, info, splits)
    assert embedded == ["train.tfrecord"]
    np.testing.assert_array_equal(
        store.labels, [[0, 1, 0], [1, 0, 0], [1, 1, 0], [0, 0, 1]]
    )
    assert (store.clips[:2] != before.clips[:2]).any(axis=1).all()
    np.testing.assert_array_equal(store.clips[2:], before.clips[2:])
    # What both have is kept for both.
    embedded.clear()
    embedding_cache.embeddings(encoder, info, splits)
    assert embedded == []


def test_another_name_of_a_class_is_another_label(toy, tmp_path, embedded):
    info, encoder = toy
    embedding_cache.embeddings(encoder, info, ["eval"])
    renamed = dataclasses.replace(info, class_names=("hum", "hiss", "tock"))
    renamed.save()
    store = embedding_cache.embeddings(encoder, renamed, ["eval"])
    assert store.class_names == renamed.class_names
    assert embedded == 2 * ["eval.tfrecord"]


def test_a_shard_that_is_not_as_written_is_told_and_read(
    toy, tmp_path, embedded, caplog
):
    info, encoder = toy
    before = embedding_cache.embeddings(encoder, info, ["eval"])
    file = tmp_path / "shards" / "eval.tfrecord"
    whole = file.read_bytes()
    other = write_toy_shards(tmp_path / "other", {"eval": [(1.0, (1,))]})
    file.write_bytes((other.folder / "eval.tfrecord").read_bytes())
    store = embedding_cache.embeddings(encoder, info, ["eval"])
    assert "eval.tfrecord is not as it was written" in caplog.text
    np.testing.assert_array_equal(store.labels, [[0, 1, 0]])
    file.write_bytes(whole)
    again = embedding_cache.embeddings(encoder, info, ["eval"])
    np.testing.assert_array_equal(again.clips, before.clips)
    assert embedded == 3 * ["eval.tfrecord"]


def test_moved_runs_and_shards_keep_their_embeddings(
    toy, tmp_path, monkeypatch
):
    info, encoder = toy
    store = embedding_cache.embeddings(encoder, info, ["train"])
    monkeypatch.setattr(embedding_job, "embed_shard", refuse)
    moved = tmp_path / "moved"
    shutil.copytree(encoder.encoder, moved / "run")
    shutil.copytree(info.folder, moved / "shards")
    [encoder] = load_encoders([str(moved / "run")])
    info = DatasetInfo.load(moved / "shards")
    again = embedding_cache.embeddings(encoder, info, ["train"])
    np.testing.assert_array_equal(again.windows, store.windows)


def test_a_damaged_file_is_made_anew(toy):
    info, encoder = toy
    store = embedding_cache.embeddings(encoder, info, ["train"])
    [file] = embedding_cache.cache_folder(encoder).glob("train-1-*.npz")
    whole = file.read_bytes()
    # It has the right size: only reading it tells.
    file.write_bytes(bytes(len(whole)))
    again = embedding_cache.embeddings(encoder, info, ["train"])
    np.testing.assert_array_equal(again.windows, store.windows)
    assert file.read_bytes() == whole


def test_where_nothing_can_be_written_nothing_is_kept(toy, monkeypatch, caplog):
    info, encoder = toy
    mkdir = embedding_cache.pathlib.Path.mkdir

    def refusing(path, *args, **kwargs):
        if pathlib.Path(encoder.encoder) in path.parents:
            raise OSError(30, "Read-only file system")
        mkdir(path, *args, **kwargs)

    monkeypatch.setattr(embedding_cache.pathlib.Path, "mkdir", refusing)
    store = embedding_cache.embeddings(encoder, info, ["eval"])
    assert store.clip_ids == ("eval/3",)
    assert not pathlib.Path(encoder.cache).exists()
    assert "are not kept" in caplog.text
