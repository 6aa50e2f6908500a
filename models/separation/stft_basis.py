"""The short-time Fourier transform as a basis."""

import keras
import numpy as np
from keras import ops

from models.separation import framing
from models.separation.feature_norm import FeatureNorm

# Floor of the power under the square root, whose slope at zero is infinite:
# digital silence must have a gradient. Far below any real power.
_POWER_FLOOR = 1e-30


@keras.saving.register_keras_serializable(package="separated_scenes")
class STFTBasis(keras.layers.Layer):
    """Complex STFT with normalised magnitudes as features; and its inverse.

    Conventions of google-research/sound-separation: square root of the Hann
    window, FFT length the next power of two, frames from the first sample on
    and zeros after the last, so ceil(samples / hop) frames. The window is
    periodic if its length is even and symmetric if it is odd, which is what
    tf.signal.hann_window(periodic=True) gives and the reference uses.
    Synthesis uses the dual window (the analysis window over the sum of its
    squares at all hops). Nothing is padded at the start, so the first
    window - hop samples come back attenuated.

    The features are plain magnitudes, normalised over frames and bins
    together, per example.

    Args:
        window_samples: Window length.
        hop_samples: Distance between frames; under the window's period (its
            length, less one if odd), or the taper leaves samples that no
            frame sees.

    Raises:
        ValueError: For a hop outside this range.
    """

    def __init__(self, window_samples: int, hop_samples: int, **kwargs):
        super().__init__(**kwargs)
        period = window_samples - window_samples % 2
        if not 1 <= hop_samples < period:
            raise ValueError(
                f"hop_samples must be at least 1 and under {period}, the "
                "window's period, so that tapered frames overlap. Received: "
                f"hop_samples={hop_samples}, window_samples={window_samples}"
            )
        self.window_samples = window_samples
        self.hop_samples = hop_samples
        self.fft_length = 1 << (window_samples - 1).bit_length()
        self.num_coefficients = self.fft_length // 2 + 1
        phase = 2 * np.pi * np.arange(window_samples) / period
        window = np.sqrt(0.5 - 0.5 * np.cos(phase))
        # Of the squared window, summed over all its shifts by the hop.
        power = [
            np.sum(window[sample % hop_samples :: hop_samples] ** 2)
            for sample in range(window_samples)
        ]
        self._analysis_window = window.astype(self.compute_dtype)
        self._synthesis_window = (window / power).astype(self.compute_dtype)
        self.magnitude_norm = FeatureNorm(
            axis=(1, 2), dtype=self.dtype_policy, name="magnitude_norm"
        )

    def build(self, input_shape):
        self.magnitude_norm.build((None, None, self.num_coefficients))
        self.built = True

    def analyse(self, waveform):
        """Maps (batch, samples) to (coefficients, network features).

        The coefficients are the pair (real, imaginary); they and the
        features are (batch, frames, num_coefficients) each.
        """
        # Converters to other programs round quotients below 0 upwards.
        reach = ops.shape(waveform)[1] + self.hop_samples - 1
        num_frames = reach // self.hop_samples
        frames = framing.frame(
            waveform, self.window_samples, self.hop_samples, num_frames
        )
        windowed = ops.multiply(frames, self._analysis_window)
        real, imag = ops.rfft(windowed, fft_length=self.fft_length)
        power = ops.square(real) + ops.square(imag)
        magnitude = ops.sqrt(ops.maximum(power, _POWER_FLOOR))
        return (real, imag), self.magnitude_norm(magnitude)

    def synthesise(self, masks, coefficients, num_samples):
        """As that of `LearnedBasis`: (batch, channels, num_samples)."""
        # Two real products instead of a complex one: no complex copy of the
        # mask, and inference engines refuse the cast to complex.
        frames = ops.irfft(
            tuple(masks * ops.expand_dims(part, 1) for part in coefficients),
            fft_length=self.fft_length,
        )  # (batch, channels, frames, fft_length)
        frames = ops.multiply(
            frames[..., : self.window_samples], self._synthesis_window
        )
        return framing.overlap_add(frames, self.hop_samples, num_samples)
