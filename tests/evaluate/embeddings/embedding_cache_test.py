import shutil

import numpy as np
import pytest

from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings import embedding_cache, embedding_job
from evaluate.embeddings.baselines import make_baselines
from evaluate.embeddings.encoders import load_encoders
from tests.evaluate.toy_runs import toy_encoder, write_toy_run

CLIPS = {
    "train": [(0.5, (0,)), (1.0, (1,)), (0.7, (0, 1))],
    "eval": [(1.0, (2,))],
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embedding_cache")
    toy_encoder(folder, CLIPS, clips_per_shard=2)
    return folder


@pytest.fixture
def toy(folders, tmp_path):
    shutil.copytree(folders, tmp_path, dirs_exist_ok=True)
    info = DatasetInfo.load(tmp_path / "shards")
    [encoder] = load_encoders([str(tmp_path / "run")])
    return info, encoder


def kept(tmp_path):
    return sorted((tmp_path / "run" / "embeddings").iterdir())


def refuse(*args):
    raise AssertionError("embedded again")


def test_each_split_is_embedded_once(toy, tmp_path, monkeypatch):
    info, encoder = toy
    both = embedding_cache.embeddings(encoder, info, ["train", "eval"])
    assert both.clip_ids == ("train/0", "train/1", "train/2", "eval/3")
    np.testing.assert_array_equal(
        both.labels, [[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1]]
    )
    assert len(kept(tmp_path)) == 2
    monkeypatch.setattr(embedding_job, "embed_shard", refuse)
    # A process started later makes the same key.
    [encoder] = load_encoders([str(tmp_path / "run")])
    again = embedding_cache.embeddings(encoder, info, ["eval"])
    np.testing.assert_array_equal(again.clips, both.clips[3:])


def test_baselines_have_folders_of_their_own(toy, tmp_path):
    info, encoder = toy
    kinds = ("untrained", "log_mel_statistics")
    for seed in (0, 1):
        for baseline in make_baselines(kinds, [encoder], seed):
            embedding_cache.embeddings(baseline, info, ["eval"])
    names = [path.name.split("-")[0] for path in kept(tmp_path)]
    # The seed changes the untrained weights, and nothing else.
    assert names == ["log_mel_statistics", "untrained", "untrained"]


def test_other_weights_or_audio_make_another_key(toy, tmp_path):
    info, encoder = toy
    key = embedding_cache.cache_folder(encoder, info, "eval").name
    write_toy_run(tmp_path / "other", tmp_path / "shards", seed=1)
    [other] = load_encoders([str(tmp_path / "other")])
    assert embedding_cache.cache_folder(other, info, "eval").name != key
    # Audio of the same size and an unchanged dataset.json.
    shard = tmp_path / "shards" / "eval.tfrecord"
    content = bytearray(shard.read_bytes())
    content[-100] ^= 255
    shard.write_bytes(content)
    changed = embedding_cache.cache_folder(encoder, info, "eval").name
    assert changed != key
    # What is said of the dataset, with the same shards.
    file = tmp_path / "shards" / "dataset.json"
    file.write_text(file.read_text().replace("hum", "him"))
    last = embedding_cache.cache_folder(encoder, info, "eval").name
    assert last not in (key, changed)


def test_moved_runs_and_shards_keep_their_embeddings(
    toy, tmp_path, monkeypatch
):
    info, encoder = toy
    store = embedding_cache.embeddings(encoder, info, ["train"])
    monkeypatch.setattr(embedding_job, "embed_shard", refuse)
    for name in ("run", "shards"):
        shutil.copytree(tmp_path / name, tmp_path / "moved" / name)
    [encoder] = load_encoders([str(tmp_path / "moved" / "run")])
    info = type(info).load(tmp_path / "moved" / "shards")
    again = embedding_cache.embeddings(encoder, info, ["train"])
    np.testing.assert_array_equal(again.windows, store.windows)


def test_a_damaged_file_is_made_anew(toy):
    info, encoder = toy
    store = embedding_cache.embeddings(encoder, info, ["train"])
    folder = embedding_cache.cache_folder(encoder, info, "train")
    file = folder / "train-1.npz"
    whole = file.read_bytes()
    # It has the right size: only reading it tells.
    file.write_bytes(bytes(len(whole)))
    again = embedding_cache.embeddings(encoder, info, ["train"])
    np.testing.assert_array_equal(again.windows, store.windows)
    assert file.read_bytes() == whole


def test_where_nothing_can_be_written_nothing_is_kept(
    toy, tmp_path, monkeypatch, caplog
):
    info, encoder = toy
    mkdir = embedding_cache.pathlib.Path.mkdir

    def refusing(path, *args, **kwargs):
        if tmp_path / "run" in path.parents:
            raise OSError(30, "Read-only file system")
        mkdir(path, *args, **kwargs)

    monkeypatch.setattr(embedding_cache.pathlib.Path, "mkdir", refusing)
    store = embedding_cache.embeddings(encoder, info, ["eval"])
    assert store.clip_ids == ("eval/3",)
    assert not (tmp_path / "run" / "embeddings").exists()
    assert "are not kept" in caplog.text
