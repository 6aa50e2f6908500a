"""The two bases: analysis, synthesis and their refusals."""

import numpy as np
import pytest
import tensorflow as tf

from models.separation.learned_basis import LearnedBasis
from models.separation.stft_basis import STFTBasis


def _waveform(samples=4001):
    rng = np.random.default_rng(1)
    return rng.normal(size=(3, samples)).astype(np.float32)


def test_learned_analysis_is_a_rectified_product():
    basis = LearnedBasis(10, 4, 7)
    basis.build((None, None))
    waveform = _waveform(23)
    coefficients, features = basis.analyse(waveform)
    padded = np.pad(waveform, ((0, 0), (0, 10)))
    frames = np.stack([padded[:, 4 * f : 4 * f + 10] for f in range(5)], 1)
    expected = np.maximum(frames @ basis.encoder.kernel.numpy(), 0.0)
    np.testing.assert_allclose(coefficients, expected, atol=1e-5)
    np.testing.assert_array_equal(coefficients, features)


@pytest.mark.parametrize("window,hop", [(512, 128), (100, 30), (256, 128)])
def test_stft_inverts_itself_after_the_start(window, hop):
    basis = STFTBasis(window, hop)
    basis.build((None, None))
    waveform = _waveform()
    coefficients, _ = basis.analyse(waveform)
    frames = -(-4001 // hop)
    assert coefficients[0].shape == (3, frames, basis.num_coefficients)
    masks = np.ones((3, 2, frames, basis.num_coefficients), np.float32)
    masks[:, 1] *= 0.5
    channels = basis.synthesise(masks, coefficients, 4001)
    start = window - 1
    np.testing.assert_allclose(
        channels[:, 0, start:], waveform[:, start:], atol=1e-5
    )
    np.testing.assert_allclose(channels[:, 1], channels[:, 0] / 2, atol=1e-6)
    # The window starts at zero and no frame begins before the first sample.
    np.testing.assert_allclose(channels[:, :, 0], 0.0, atol=1e-6)


@pytest.mark.parametrize(
    "window,hop", [(512, 128), (706, 176), (353, 88), (101, 99)]
)
def test_stft_is_that_of_tf_signal(window, hop):
    """As the reference calls it; an odd window is symmetric there."""
    basis = STFTBasis(window, hop, dtype="float64")
    basis.build((None, None))

    def taper(length, dtype):
        return tf.sqrt(tf.signal.hann_window(length, dtype=dtype))

    waveform = tf.constant(_waveform(2003), tf.float64)
    fft_length = {512: 512, 706: 1024, 353: 512, 101: 128}[window]
    stft = tf.signal.stft(
        waveform, window, hop, fft_length, taper, pad_end=True
    )
    (real, imag), _ = basis.analyse(waveform)
    np.testing.assert_allclose(tf.complex(real, imag), stft, atol=1e-10)
    inverse = tf.signal.inverse_stft(
        stft,
        window,
        hop,
        fft_length,
        tf.signal.inverse_stft_window_fn(hop, taper),
    )
    masks = np.ones((3, 1, *stft.shape[1:]))
    channels = basis.synthesise(masks, (real, imag), 2003)
    np.testing.assert_allclose(channels[:, 0], inverse[:, :2003], atol=1e-10)


def test_stft_features_are_normalised_per_example():
    basis = STFTBasis(512, 128)
    basis.build((None, None))
    _, features = basis.analyse(_waveform() * 100.0)
    np.testing.assert_allclose(np.mean(features, (1, 2)), 0.0, atol=1e-4)
    np.testing.assert_allclose(np.var(features, (1, 2)), 1.0, atol=1e-3)


def test_hops_that_lose_samples_are_refused():
    with pytest.raises(ValueError, match="hop_samples=8, window_samples=8"):
        STFTBasis(8, 8)
    # Both ends of an odd window are zero: at this hop nothing covers them.
    with pytest.raises(ValueError, match="under 8,.*hop_samples=8"):
        STFTBasis(9, 8)
