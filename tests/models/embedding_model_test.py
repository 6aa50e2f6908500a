import keras
import numpy as np
import pytest

from models.embedding_model import EmbeddingModel


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return EmbeddingModel(embedding_dim=5, width=0.0625)


def _noise(*shape):
    return np.random.default_rng(1).normal(0, 0.1, shape).astype("float32")


# 96 frames of 10 ms with a 25 ms window: 400 + 95 * 160 samples.
@pytest.mark.parametrize(
    "samples, windows",
    [(1, 1), (15600, 1), (23279, 1), (23280, 2), (48000, 5), (160000, 19)],
)
def test_number_of_windows(model, samples, windows):
    assert model.num_windows(samples) == windows
    waveform = np.zeros((2, samples), "float32")
    assert model.cut_windows(waveform).shape == (2, windows, 15600)


def test_windows_are_pieces_of_the_waveform(model):
    waveform = _noise(3, 40000)
    windows = np.asarray(model.cut_windows(waveform))
    np.testing.assert_array_equal(windows[:, 1], waveform[:, 7680:23280])


def test_short_clips_are_padded_with_zeros(model):
    waveform = _noise(2, 700)
    padded = np.pad(waveform, [[0, 0], [0, 15600 - 700]])
    np.testing.assert_array_equal(model(waveform), model(padded))


def test_clip_embedding_is_the_mean_of_its_windows(model):
    waveform = _noise(3, 48000)
    parts = [
        model.encode(waveform[:, k * 7680 : k * 7680 + 15600]) for k in range(5)
    ]
    np.testing.assert_allclose(
        model(waveform), np.mean(parts, axis=0), atol=1e-6
    )


def test_file_round_trip(model, tmp_path):
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert again.get_config() == model.get_config()
    np.testing.assert_array_equal(
        again(_noise(2, 9000)), model(_noise(2, 9000))
    )


def test_reduced_precision_does_not_round_the_waveform(model):
    weights = model.get_weights()
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        reduced = EmbeddingModel(embedding_dim=5, width=0.0625)
        reduced.set_weights(weights)
        seen = []
        frontend = reduced.frontend.call
        reduced.frontend.call = lambda x: seen.append(x.dtype) or frontend(x)
        h = reduced(_noise(2, 16000))
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert seen == ["float32"] and h.dtype == "float32"
    full = np.asarray(model(_noise(2, 16000)))
    assert np.abs(h - full).max() < 0.03 * np.abs(full).max()


def test_silence_has_a_finite_embedding(model):
    assert np.isfinite(model(np.zeros((1, 16000), "float32"))).all()
