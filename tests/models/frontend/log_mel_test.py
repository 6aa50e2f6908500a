import keras
import numpy as np
import pytest
import tensorflow as tf

from models.frontend.log_mel import LogMel, mel_matrix
from tests.agreement import largest_difference
from tests.golden.loading import load

SOURCE = "VGGish, float64"


def test_values_are_those_of_the_reference(agrees):
    golden = load("log_mel")
    ours = np.asarray(LogMel()(golden["waveform"]))
    # A float32 spectrum leaks that much of a loud band into a silent one.
    difference = largest_difference(ours, golden["log_mel"])
    agrees("log-mel", SOURCE, difference, 2e-3)
    root_mean_square = np.sqrt(np.mean((ours - golden["log_mel"]) ** 2))
    agrees("log-mel (root mean square)", SOURCE, root_mean_square, 1e-4)


def test_mel_matrix_is_that_of_the_reference(agrees):
    ours = mel_matrix(257, 16000, 64, 125.0, 7500.0)
    difference = largest_difference(ours, load("log_mel")["mel_matrix"])
    agrees("mel matrix", SOURCE, difference, 1e-7)


@pytest.mark.parametrize("samples", [400, 559, 560, 4001])
def test_frame_count(samples):
    log_mel = LogMel()
    frames = 1 + (samples - 400) // 160
    shape = log_mel(np.zeros((3, samples), "float32")).shape
    assert shape == (3, frames, 64)
    assert log_mel.compute_output_shape((3, samples)) == (3, frames, 64)
    assert log_mel.samples_for(frames) <= samples


def test_silence_is_the_logarithm_of_the_offset():
    out = np.asarray(LogMel(offset=0.01)(np.zeros((1, 1000), "float32")))
    np.testing.assert_allclose(out, np.log(0.01), rtol=1e-6)


def test_silence_beside_sound_has_a_finite_gradient():
    waveform = np.random.default_rng(1).normal(size=(1, 4000)).astype("f4")
    waveform[:, 1000:3000] = 0
    variable = tf.Variable(waveform)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(LogMel()(variable))
    gradient = tape.gradient(total, variable).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient[0, :1000]).max() > 1


def test_tone_peaks_in_the_band_that_holds_it():
    time = np.arange(16000) / 16000
    out = LogMel()(np.sin(2 * np.pi * 1000 * time)[None].astype("float32"))
    weights = mel_matrix(257, 16000, 64, 125.0, 7500.0)
    expected = weights[32].argmax()  # Bin of 1000 Hz: 32 of 31.25 Hz.
    assert np.asarray(out)[0].mean(axis=0).argmax() == expected


def test_reduced_precision_policy_changes_nothing():
    waveform = np.random.default_rng(1).normal(size=(2, 4000)).astype("f4")
    expected = np.asarray(LogMel()(waveform))
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        np.testing.assert_array_equal(LogMel()(waveform), expected)
    finally:
        keras.mixed_precision.set_global_policy("float32")


def test_config_round_trip():
    layer = LogMel(8000, 0.032, 0.016, 40, 50.0, 3900.0, 0.01, name="m")
    again = LogMel.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.window_samples == 256


def test_bands_above_half_the_rate_are_refused():
    with pytest.raises(ValueError, match="high_hz=7500.*sample_rate_hz=8000"):
        LogMel(8000)
