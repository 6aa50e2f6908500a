"""Log-mel spectrogram, in the conventions of Google's AudioSet work."""

import keras
import numpy as np
from keras import ops

from models.numerics.precision import wide_dtype

# Floor of the power under the square root, whose slope at zero is infinite:
# digital silence must have a gradient. Far below any real power.
_POWER_FLOOR = 1e-30


@keras.saving.register_keras_serializable(package="separated_scenes")
class LogMel(keras.layers.Layer):
    """Waveform to ln(mel + offset) of a magnitude spectrogram.

    Periodic Hann window, FFT of the next power of two, no padding of the
    signal; triangular bands on the HTK mel scale with peak 1. The values are
    those of VGGish and YAMNet (Hershey et al., ICASSP 2017), with YAMNet's
    offset of 0.001.

    Call: waveform (..., T) -> (..., frames, mel_bands) float32, with
    frames = 1 + (T - window) // hop; T must be at least one window.

    Args:
      window_s: analysis window, seconds.
      hop_s: time between frames, seconds.
      low_hz: lower edge of the lowest band.
      high_hz: upper edge of the highest band.
      offset: added before the logarithm; silence is ln(offset).

    Raises:
      ValueError: the band edges are not 0 <= low < high <= rate / 2.
    """

    def __init__(
        self,
        sample_rate_hz: int = 16000,
        window_s: float = 0.025,
        hop_s: float = 0.010,
        mel_bands: int = 64,
        low_hz: float = 125.0,
        high_hz: float = 7500.0,
        offset: float = 0.001,
        **kwargs,
    ):
        # Magnitudes and logarithms need at least float32.
        kwargs["dtype"] = wide_dtype()
        super().__init__(**kwargs)
        check_bands(sample_rate_hz, low_hz, high_hz)
        self.sample_rate_hz = sample_rate_hz
        self.mel_bands = mel_bands
        self.offset = offset
        self.window_samples = round(window_s * sample_rate_hz)
        self.hop_samples = round(hop_s * sample_rate_hz)
        self.fft_length = 2 ** int(np.ceil(np.log2(self.window_samples)))
        self._mel_matrix = mel_matrix(
            self.fft_length // 2 + 1, sample_rate_hz, mel_bands, low_hz, high_hz
        ).astype("f4")
        self.built = True

    def samples_for(self, frames: int) -> int:
        """Length in samples that gives exactly `frames` frames."""
        return self.window_samples + (frames - 1) * self.hop_samples

    def call(self, waveform):
        power = power_spectrogram(
            waveform, self.window_samples, self.hop_samples, self.fft_length
        )
        magnitude = ops.sqrt(ops.maximum(power, _POWER_FLOOR))
        return ops.log(ops.matmul(magnitude, self._mel_matrix) + self.offset)

    def energy(self, log_mel):
        """Squared mel magnitudes >= 0 of values of this front end."""
        return ops.square(ops.relu(ops.exp(log_mel) - self.offset))

    def of_energy(self, energy):
        """The values of this front end for what `energy` gives."""
        return ops.log(ops.sqrt(energy) + self.offset)


def check_bands(sample_rate_hz, low_hz, high_hz) -> None:
    """Raises ValueError where the rate does not hold these mel bands."""
    if not 0 <= low_hz < high_hz <= sample_rate_hz / 2:
        raise ValueError(
            "mel bands need 0 <= low_hz < high_hz <= sample_rate_hz / 2. "
            f"Received: low_hz={low_hz}, high_hz={high_hz}, "
            f"sample_rate_hz={sample_rate_hz}"
        )


def power_spectrogram(
    waveform, window_samples: int, hop_samples: int, fft_length: int
):
    """By a periodic Hann window: (..., T) -> (..., frames, bins)."""
    phase = np.arange(window_samples) / window_samples
    window = 0.5 - 0.5 * np.cos(2 * np.pi * phase)
    # Frames as long as the FFT, so that only the waveform is padded for it:
    # beyond the window they count for nothing.
    beyond = fft_length - window_samples
    window = np.pad(window, (0, beyond)).astype("f4")
    if beyond:
        sides = [(0, 0)] * (len(waveform.shape) - 1) + [(0, beyond)]
        waveform = ops.pad(waveform, sides)
    frames = ops.extract_sequences(waveform, fft_length, hop_samples)
    real, imag = ops.rfft(ops.multiply(frames, window), fft_length)
    return real * real + imag * imag


def mel_matrix(
    num_bins: int,
    sample_rate_hz: int,
    mel_bands: int,
    low_hz: float,
    high_hz: float,
) -> np.ndarray:
    """Triangles that are linear in HTK mel: float64 (num_bins, mel_bands).

    mel = 1127 ln(1 + f / 700). Band edges are equally spaced in mel, peaks
    are 1, and the DC bin has no weight.
    """

    def mel(hz):
        return 1127.0 * np.log1p(np.asarray(hz) / 700.0)

    weights = triangles(
        mel(np.linspace(0, sample_rate_hz / 2, num_bins)),
        np.linspace(mel(low_hz), mel(high_hz), mel_bands + 2),
    )
    weights[0] = 0
    return weights


def triangles(frequencies: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Bands that rise from edge k to 1 and fall to edge k + 2: (bins, bands).

    Args:
      frequencies: (bins,) in the unit in which they are linear.
      edges: (bands + 2,) in the same unit.
    """
    bins = frequencies[:, None]
    lower, center, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins - lower) / (center - lower)
    falling = (upper - bins) / (upper - center)
    return np.maximum(0, np.minimum(rising, falling))
