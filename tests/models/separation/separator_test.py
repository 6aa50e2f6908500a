"""The separator as a Keras model: contract, saving, precision, export."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.separation.separator import Separator

BASES = ["learned", "stft"]


def _tiny(basis="stft", **changes):
    arguments = dict(
        num_sources=3,
        basis=basis,
        num_coefficients=11,
        bottleneck=5,
        conv_channels=7,
        num_dilations=3,
        num_repeats=1,
    )
    keras.utils.set_random_seed(0)
    return Separator(**{**arguments, **changes})


def _randomise(separator, seed=0):
    rng = np.random.default_rng(seed)
    for variable in separator.variables:
        noise = 0.3 * rng.normal(size=variable.shape)
        variable.assign(variable.numpy() + noise)
    return separator


def _waveform(batch=2, samples=4001, seed=0):
    rng = np.random.default_rng(seed)
    return 0.1 * rng.normal(size=(batch, samples)).astype(np.float32)


def test_without_consistency_channels_are_the_masked_signals():
    separator = _randomise(_tiny(consistency="none"))
    waveform = _waveform()
    coefficients, features = separator.transform.analyse(waveform)
    masks, weights = separator.estimate_masks(features)
    assert weights is None
    expected = separator.transform.synthesise(masks, coefficients, 4001)
    np.testing.assert_array_equal(separator(waveform), expected)


@pytest.mark.parametrize(
    "basis", ["stft", pytest.param("learned", marks=pytest.mark.long)]
)
def test_dynamic_graph_and_export_equal_eager(basis, tmp_path):
    separator = _randomise(_tiny(basis))
    spec = tf.TensorSpec([None, None], tf.float32, name="waveform")

    @tf.function(input_signature=[spec], autograph=False)
    def graph(waveform):
        return {"channels": separator(waveform)}

    archive = keras.export.ExportArchive()
    archive.add_endpoint("separate", graph)
    archive.write_out(str(tmp_path / "export"), verbose=False)
    exported = tf.saved_model.load(str(tmp_path / "export"))
    # One sample, less than a hop, a window, one more, and a long odd length.
    for samples in (1, 19, 40, 41, 127, 511, 513, 4001):
        waveform = _waveform(3, samples)
        eager = separator(waveform)
        assert eager.shape == (3, 3, samples)
        np.testing.assert_allclose(np.sum(eager, axis=1), waveform, atol=1e-6)
        for function in (graph, exported.separate):
            channels = function(tf.constant(waveform))["channels"]
            np.testing.assert_allclose(channels, eager, atol=1e-6)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("basis", BASES)
def test_keras_file_round_trip(basis, policy, tmp_path):
    keras.config.set_dtype_policy(policy)
    separator = _randomise(_tiny(basis, window_s=0.004, hop_s=0.001))
    keras.config.set_dtype_policy("float32")
    separator.save(tmp_path / "separator.keras")
    loaded = keras.saving.load_model(tmp_path / "separator.keras")
    assert loaded.get_config() == separator.get_config()
    assert loaded.dtype_policy.name == policy
    waveform = _waveform()
    np.testing.assert_array_equal(loaded(waveform), separator(waveform))


@pytest.mark.parametrize("basis", BASES)
def test_reduced_precision_keeps_signals_in_float32(basis):
    full = _randomise(_tiny(basis))
    reduced = _tiny(basis, dtype="mixed_bfloat16")
    reduced.set_weights(full.get_weights())
    waveform = _waveform()
    coefficients = tf.nest.flatten(reduced.transform.analyse(waveform))
    assert {c.dtype for c in coefficients} == {tf.float32}
    channels = reduced(waveform)
    assert channels.dtype == tf.float32
    np.testing.assert_allclose(np.sum(channels, axis=1), waveform, atol=1e-6)
    expected = full(waveform)
    error = np.sum(np.square(channels - expected))
    # Eight bits of mantissa: measured 36 and 50 dB below the signal.
    assert 0 < error < 1e-3 * np.sum(np.square(expected))


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"basis": "wavelet"}, r"basis must be one of.*basis='wavelet'"),
        ({"consistency": "equal"}, r"one of.*consistency='equal'"),
        ({"num_sources": 0}, "at least 1.*num_sources=0"),
        ({"hop_s": 0.05}, "at most window_s.*hop_s=0.05"),
        ({"window_s": 0.0}, "window_s=0.0 at sample_rate_hz=16000"),
        ({"kernel_size": 2}, "odd.*kernel_size=2"),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        _tiny(**changes)


def test_a_channel_axis_is_refused():
    with pytest.raises(ValueError, match=r"\(batch, samples\).*\(2, 1, 50\)"):
        _tiny()(np.zeros((2, 1, 50), np.float32))
