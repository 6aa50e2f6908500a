import keras
import numpy as np
import pytest

from models.embedding_model import EmbeddingModel
from models.frontend.log_mel import LogMel


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return EmbeddingModel(embedding_dim=5, width=0.0625)


def _noise(*shape):
    return np.random.default_rng(1).normal(0, 0.1, shape).astype("float32")


# 96 frames of 10 ms with a 25 ms window: 400 + 95 * 160 samples.
@pytest.mark.parametrize(
    "samples, windows",
    [(1, 1), (23279, 1), (23280, 2), (160000, 19)],
)
def test_number_of_windows(model, samples, windows):
    assert model.num_windows(samples) == windows
    waveform = np.zeros((2, samples), "float32")
    assert model.cut_windows(waveform).shape == (2, windows, 15600)


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


def test_reduced_precision_does_not_round_the_waveform(model):
    weights = model.get_weights()
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    reduced = EmbeddingModel(embedding_dim=5, width=0.0625)
    reduced.set_weights(weights)
    seen = []
    frontend = reduced.frontend.call
    reduced.frontend.call = lambda x: seen.append(x.dtype) or frontend(x)
    h = reduced(_noise(2, 16000))
    assert seen == ["float32"] and h.dtype == "float32"
    full = np.asarray(model(_noise(2, 16000)))
    assert np.abs(h - full).max() < 0.03 * np.abs(full).max()


def test_panns_front_end_has_windows_of_its_own():
    model = EmbeddingModel(
        8000,
        None,
        0.0625,
        window_frames=41,
        window_hop_frames=20,
        frontend="panns",
    )
    # Centred frames: 40 hops of 80 samples hold 41 of them.
    assert (model.window_samples, model.window_hop_samples) == (3200, 1600)
    assert model.embedding_dim == 128
    waveform = _noise(3, 5000)
    windows = np.asarray(model.embed_windows(waveform))
    assert windows.shape == (3, 2, 128)
    log_mel = model.frontend(waveform[:, 1600:4800])
    assert log_mel.shape == (3, 41, 64)
    np.testing.assert_allclose(
        windows[:, 1], model.encoder(log_mel), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"embedding_dim": 5},
        {
            "embedding_dim": None,
            "hidden_layer": True,
            "frontend": "panns",
            "hidden_dropout": 0.25,
        },
    ],
    ids=["google", "panns"],
)
def test_file_round_trip(arguments, tmp_path):
    model = EmbeddingModel(width=0.0625, **arguments)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    config = again.get_config()
    assert config == model.get_config()
    assert config.items() >= arguments.items()
    assert again.embedding_dim == model.embedding_dim
    np.testing.assert_array_equal(
        again(_noise(2, 9000)), model(_noise(2, 9000))
    )


def test_models_saved_before_there_was_a_choice_still_load():
    config = EmbeddingModel(embedding_dim=5, width=0.0625).get_config()
    del config["frontend"], config["hidden_dropout"]
    model = EmbeddingModel.from_config(config)
    assert model.get_config()["frontend"] == "google"
    assert isinstance(model.frontend, LogMel)


def test_unknown_front_end_is_refused():
    with pytest.raises(ValueError, match="google, panns. .* frontend=mel"):
        EmbeddingModel(frontend="mel")
