import dataclasses

import numpy as np
import pytest

from data.progress import Progress
from data.user_error import UserError
from evaluate.baselines import log_mel_statistics
from evaluate.embed import embed_dataset
from evaluate.encoders import load_encoders
from tests.evaluate.toy_runs import toy_clip, write_toy_run, write_toy_shards

# Shorter than a window, one window, one window and a bit, several; in sum
# more windows than one batch holds.
CLIPS = [(0.3, (0,)), (0.975, (1, 2)), (1.7, ()), (70.0, (2,)), (2.9, (0, 1))]


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embed")
    info = write_toy_shards(
        folder / "shards", {"train": CLIPS[:2], "eval": CLIPS[2:]}
    )
    model = write_toy_run(folder / "run", folder / "shards")
    [encoder] = load_encoders([str(folder / "run")])
    return info, model, encoder


def stored_audio(number):
    audio = toy_clip(number, *CLIPS[number])
    return np.round(audio.astype("f8") * 32768).astype("f4") / 32768


def test_each_clip_equals_the_model_on_that_clip_alone(toy):
    info, model, encoder = toy
    store = embed_dataset(encoder, info, ["train", "eval"])
    assert store.clip_ids == (
        "train/0",
        "train/1",
        "eval/2",
        "eval/3",
        "eval/4",
    )
    for number in range(len(CLIPS)):
        audio = stored_audio(number)[None]
        np.testing.assert_allclose(
            store.windows[store.window_clip == number],
            model.embed_windows(audio)[0],
            atol=1e-5,
        )
        np.testing.assert_allclose(
            store.clips[number], model(audio)[0], atol=1e-5
        )
    counts = np.bincount(store.window_clip)
    np.testing.assert_array_equal(counts, [1, 1, 2, 144, 5])


def test_labels_are_multi_hot(toy):
    info, _, encoder = toy
    store = embed_dataset(encoder, info, ["eval", "train"])
    expected = [[0, 0, 0], [0, 0, 1], [1, 1, 0], [1, 0, 0], [0, 1, 1]]
    np.testing.assert_array_equal(store.labels, expected)
    assert store.class_names == ("hum", "hiss", "tick")


def test_log_mel_statistics_equal_numpy_on_the_log_mel(toy):
    info, model, encoder = toy
    store = embed_dataset(log_mel_statistics(encoder, 0), info, ["eval"])
    log_mel = model.frontend(stored_audio(2)[None, : model.window_samples])
    log_mel = np.asarray(log_mel, np.float64)[0]
    expected = np.concatenate([log_mel.mean(0), log_mel.std(0)])
    assert store.windows.shape == (2 + 144 + 5, 2 * 64)
    np.testing.assert_allclose(store.windows[0], expected, atol=1e-4)


def test_progress_counts_clips(toy):
    info, _, encoder = toy
    progress = Progress("embed", 3, "clips")
    embed_dataset(encoder, info, ["eval"], progress)
    assert progress.done == 3


def test_refuses_another_sample_rate(toy):
    info, _, encoder = toy
    other = dataclasses.replace(info, sample_rate_hz=8000)
    with pytest.raises(UserError, match="at 16000 Hz.*has 8000 Hz"):
        embed_dataset(encoder, other, ["eval"])


def test_refuses_embeddings_that_are_not_finite(toy, tmp_path):
    info, _, encoder = toy
    broken = dataclasses.replace(
        encoder, to_vectors=lambda windows: windows[:, :2] * np.nan
    )
    with pytest.raises(UserError, match="2 of 2 windows .*clip train/0"):
        embed_dataset(broken, info, ["train"])


def test_refuses_a_damaged_shard(toy, tmp_path):
    _, _, encoder = toy
    info = write_toy_shards(tmp_path / "shards", {"eval": CLIPS[:2]})
    shard = tmp_path / "shards" / "eval.tfrecord"
    content = bytearray(shard.read_bytes())
    content[-1000] ^= 255
    shard.write_bytes(content)
    with pytest.raises(UserError, match="damaged after 1 clips"):
        embed_dataset(encoder, info, ["eval"])
