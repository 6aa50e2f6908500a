import shutil

import numpy as np
import pytest

from evaluate import embedding_cache
from evaluate.baselines import make_baselines
from evaluate.encoders import load_encoders
from tests.evaluate.toy_runs import write_toy_run, write_toy_shards

CLIPS = {"train": [(0.5, (0,)), (1.0, (1,))], "eval": [(1.0, (2,))]}


@pytest.fixture
def toy(tmp_path):
    info = write_toy_shards(tmp_path / "shards", CLIPS)
    write_toy_run(tmp_path / "run", tmp_path / "shards")
    [encoder] = load_encoders([str(tmp_path / "run")])
    return info, encoder


def kept(tmp_path):
    return sorted((tmp_path / "run" / "embeddings").iterdir())


def refuse(*args):
    raise AssertionError("embedded again")


def test_each_split_is_embedded_once(toy, tmp_path, monkeypatch):
    info, encoder = toy
    both = embedding_cache.embeddings(encoder, info, ["train", "eval"])
    assert both.clip_ids == ("train/0", "train/1", "eval/2")
    assert len(kept(tmp_path)) == 2
    monkeypatch.setattr(embedding_cache, "embed_dataset", refuse)
    # A process started later makes the same key.
    [encoder] = load_encoders([str(tmp_path / "run")])
    again = embedding_cache.embeddings(encoder, info, ["eval"])
    np.testing.assert_array_equal(again.clips, both.clips[2:])


def test_baselines_have_files_of_their_own(toy, tmp_path):
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
    key = embedding_cache.cache_file(encoder, info, "eval").name
    write_toy_run(tmp_path / "other", tmp_path / "shards", seed=1)
    [other] = load_encoders([str(tmp_path / "other")])
    assert embedding_cache.cache_file(other, info, "eval").name != key
    # Audio of the same size and an unchanged dataset.json.
    shard = tmp_path / "shards" / "eval.tfrecord"
    content = bytearray(shard.read_bytes())
    content[-100] ^= 255
    shard.write_bytes(content)
    assert embedding_cache.cache_file(encoder, info, "eval").name != key


def test_moved_runs_and_shards_keep_their_key(toy, tmp_path):
    info, encoder = toy
    key = embedding_cache.cache_file(encoder, info, "eval").name
    for name in ("run", "shards"):
        shutil.copytree(tmp_path / name, tmp_path / "moved" / name)
    [encoder] = load_encoders([str(tmp_path / "moved" / "run")])
    info = type(info).load(tmp_path / "moved" / "shards")
    assert embedding_cache.cache_file(encoder, info, "eval").name == key


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 not a store"])
def test_a_damaged_file_is_made_anew(toy, damage):
    info, encoder = toy
    store = embedding_cache.embeddings(encoder, info, ["eval"])
    file = embedding_cache.cache_file(encoder, info, "eval")
    whole = file.stat().st_size
    file.write_bytes(damage or file.read_bytes()[:-100])
    again = embedding_cache.embeddings(encoder, info, ["eval"])
    np.testing.assert_array_equal(again.windows, store.windows)
    assert file.stat().st_size == whole
