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


# 96 frames of 10 ms with a 25 ms window: 400 + 95 * 160 samples. The last
# window ends with the clip.
@pytest.mark.parametrize(
    "samples, starts",
    [
        (15600, [0]),
        (15601, [0, 1]),
        (23279, [0, 7679]),
        (23280, [0, 7680]),
        (23281, [0, 7680, 7681]),
        (40000, [0, 7680, 15360, 23040, 24400]),
    ],
)
def test_windows_cover_every_sample(model, samples, starts):
    assert model.num_windows(samples) == len(starts)
    waveform = _noise(3, samples)
    windows = np.asarray(model.cut_windows(waveform))
    expected = [waveform[:, start : start + 15600] for start in starts]
    np.testing.assert_array_equal(windows, np.stack(expected, axis=1))


@pytest.mark.parametrize("samples", [1, 400, 700, 15599])
def test_clips_shorter_than_a_window_are_repeated(model, samples):
    waveform = _noise(2, samples)
    repeated = np.tile(waveform, 15600 // samples + 1)[:, :15600]
    windows = np.asarray(model.cut_windows(waveform))
    np.testing.assert_array_equal(windows, repeated[:, None])


def test_a_clip_without_samples_is_silence(model):
    windows = np.asarray(model.cut_windows(np.zeros((2, 0), "float32")))
    np.testing.assert_array_equal(windows, np.zeros((2, 1, 15600)))


def test_clip_embedding_is_the_mean_of_its_windows(model):
    waveform = _noise(3, 48000)
    starts = [*range(0, 30721, 7680), 48000 - 15600]
    parts = [model.encode(waveform[:, s : s + 15600]) for s in starts]
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
    assert windows.shape == (3, 3, 128)
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
