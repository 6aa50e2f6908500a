import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from data.audio import codec
from data.run.errors import UserError
from data.shards.record_index import RecordIndex
from evaluate.embeddings.baselines import log_mel_statistics
from evaluate.embeddings.clip_embeddings import embed_shard
from tests.evaluate.toy_runs import (
    toy_clip,
    toy_encoder,
    write_toy_shards,
)

# Shorter than a window, one window, one window and a bit, several; in sum
# more windows than one batch holds.
CLIPS = [(0.3, (0,)), (0.975, (1, 2)), (1.7, ()), (70.0, (2,)), (2.9, (0, 1))]


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return toy_encoder(tmp_path_factory.mktemp("toy"), {"train": CLIPS})


def index_of(info):
    return RecordIndex.of(info, ["train"])


def stored_audio(number):
    audio = toy_clip(number, *CLIPS[number])
    return np.round(audio.astype("f8") * 32768).astype("f4") / 32768


def test_each_clip_equals_the_model_on_that_clip_alone(toy):
    info, encoder = toy
    advances = itertools.count()
    store, _ = embed_shard(encoder, index_of(info), advances.__next__)
    assert next(advances) == 5
    assert store.clip_ids == tuple(f"train/{k}" for k in range(5))
    labels = [[1, 0, 0], [0, 1, 1], [0, 0, 0], [0, 0, 1], [1, 1, 0]]
    np.testing.assert_array_equal(store.labels, labels)
    assert store.class_names == ("hum", "hiss", "tick")
    for number in range(len(CLIPS)):
        audio = stored_audio(number)[None]
        np.testing.assert_allclose(
            store.windows[store.window_clip == number],
            encoder.model.embed_windows(audio)[0],
            atol=1e-5,
        )
        np.testing.assert_allclose(
            store.clips[number], encoder.model(audio)[0], atol=1e-5
        )
    counts = np.bincount(store.window_clip)
    np.testing.assert_array_equal(counts, [1, 1, 3, 145, 6])


def test_a_shard_without_a_usable_clip_gives_arrays_of_the_right_size(
    toy, tmp_path
):
    _, encoder = toy
    info = write_toy_shards(
        tmp_path / "shards", {"train": CLIPS[:2]}, clips_per_shard=1
    )
    (tmp_path / "shards" / "train-1.tfrecord").write_bytes(b"")
    store, failed = embed_shard(encoder, index_of(info).of_shard(1))
    assert failed == [0]
    assert store.windows.shape == store.clips.shape == (0, 11)
    assert store.labels.shape == (0, 3) and store.clip_ids == ()


def test_log_mel_statistics_equal_numpy_on_the_log_mel(toy):
    info, encoder = toy
    store, _ = embed_shard(log_mel_statistics(encoder, 0), index_of(info))
    model = encoder.model
    log_mel = model.frontend(stored_audio(2)[None, : model.window_samples])
    log_mel = np.asarray(log_mel, np.float64)[0]
    expected = np.concatenate([log_mel.mean(0), log_mel.std(0)])
    assert store.windows.shape == (1 + 1 + 3 + 145 + 6, 2 * 64)
    np.testing.assert_allclose(store.windows[2], expected, atol=1e-4)


def test_refuses_embeddings_that_are_not_finite(toy):
    info, encoder = toy
    broken = dataclasses.replace(
        encoder, encode_batch=lambda windows: windows[:, :2] * np.nan
    )
    with pytest.raises(UserError, match="156 of 156 windows .*clip train/0"):
        embed_shard(broken, index_of(info))


def test_clips_that_are_not_valid_are_refused_by_name(toy, monkeypatch):
    info, encoder = toy
    decode = codec.decode

    def spoiled(encoded, audio_format):
        audio = decode(encoded, audio_format)
        # Of the third clip only, which has 1.7 s.
        return tf.where(tf.size(audio) == 27200, audio * 1e30, audio)

    monkeypatch.setattr(codec, "decode", spoiled)
    # One that is not known yet, for which all is traced again.
    unknown = dataclasses.replace(encoder)
    with pytest.raises(UserError, match="clip train/2 .* NaN, infinite or"):
        embed_shard(unknown, index_of(info))
