"""What holds for both front ends."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.frontend.log_mel import LogMel
from models.frontend.panns_log_mel import PANNsLogMel

BOTH = pytest.mark.parametrize("front_end", [LogMel, PANNsLogMel])


def _noise(*shape):
    return np.random.default_rng(1).normal(0, 0.1, shape).astype("f4")


@pytest.mark.parametrize(
    "front_end, samples, frames",
    [
        (LogMel, 400, 1),
        (LogMel, 559, 1),
        (LogMel, 560, 2),
        (LogMel, 4001, 23),
        (PANNsLogMel, 257, 2),
        (PANNsLogMel, 479, 3),
        (PANNsLogMel, 480, 4),
        (PANNsLogMel, 4001, 26),
    ],
)
def test_frame_count(front_end, samples, frames):
    layer = front_end()
    assert layer(_noise(3, samples)).shape == (3, frames, 64)
    assert layer.samples_for(frames) <= samples < layer.samples_for(frames + 1)


@BOTH
def test_any_leading_axes(front_end):
    waveform, layer = _noise(2, 3, 700), front_end()
    together, alone = layer(waveform)[1, 2], layer(waveform[1, 2])
    # 257 energies may be summed in another order: a relative 257 roundings of
    # each sum, 1.5e-5 in nats and 6.7e-5 in decibels.
    np.testing.assert_allclose(together, alone, rtol=0, atol=7e-5)


@pytest.mark.parametrize(
    "layer, value",
    [(LogMel(offset=0.01), np.log(0.01)), (PANNsLogMel(), -100)],
    ids=["google", "panns"],
)
def test_silence_is_the_floor(layer, value):
    np.testing.assert_allclose(layer(np.zeros((1, 900), "f4")), value, 1e-6)
    np.testing.assert_allclose(layer.of_energy(np.zeros(1, "f4")), value, 1e-6)


@BOTH
def test_silence_beside_sound_has_a_finite_gradient(front_end):
    waveform = 10 * _noise(1, 4000)
    waveform[:, 1000:3000] = 0
    variable = tf.Variable(waveform)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(front_end()(variable))
    gradient = tape.gradient(total, variable).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient[0, :1000]).max() > 1


@BOTH
def test_reduced_precision_policy_changes_nothing(front_end):
    waveform = _noise(2, 4000)
    expected = np.asarray(front_end()(waveform))
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    np.testing.assert_array_equal(front_end()(waveform), expected)


@pytest.mark.parametrize(
    "layer",
    [
        LogMel(8000, 0.032, 0.016, 40, 50.0, 3900.0, 0.01, name="m"),
        PANNsLogMel(8000, 0.032, 0.016, 40, 20.0, 3900.0, name="m"),
    ],
    ids=["google", "panns"],
)
def test_config_round_trip(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.window_samples == 256
    waveform = _noise(1, 4000)
    np.testing.assert_array_equal(again(waveform), layer(waveform))


@BOTH
def test_twice_the_amplitude_is_four_times_the_energy(front_end):
    wave, layer = _noise(2, 4000), front_end()
    log_mel, louder = layer(wave), layer(2 * wave)
    energy = layer.energy(log_mel)
    np.testing.assert_allclose(layer.energy(louder), 4 * energy, rtol=1e-4)
    np.testing.assert_allclose(
        layer.of_energy(energy), log_mel, rtol=1e-5, atol=1e-5
    )
    assert np.all(layer.energy(layer(0 * wave)) < 1e-9)


@pytest.mark.parametrize(
    "front_end, arguments, told",
    [
        (LogMel, {"sample_rate_hz": 8000}, "high_hz=7500.*_rate_hz=8000"),
        (PANNsLogMel, {"high_hz": 8001.0}, "high_hz=8001.0, sample_rate_hz"),
        (PANNsLogMel, {"sample_rate_hz": 90}, "sample_rate_hz=90"),
        (PANNsLogMel, {"low_hz": -1.0}, "low_hz=-1.0"),
    ],
)
def test_bands_out_of_range_are_refused(front_end, arguments, told):
    with pytest.raises(ValueError, match=told):
        front_end(**arguments)
