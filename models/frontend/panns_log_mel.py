"""Log-mel spectrogram in decibels, in the conventions of PANNs."""

import math

import keras
import numpy as np
from keras import ops

from models.frontend.log_mel import check_bands, power_spectrogram, triangles
from models.numerics.precision import wide_dtype

# Power that counts as silence: -100 dB.
_POWER_FLOOR = 1e-10
_LOG_PER_DB = math.log(10) / 10


@keras.saving.register_keras_serializable(package="separated_scenes")
class PANNsLogMel(keras.layers.Layer):
    """Waveform to 10 log10 of a mel power spectrogram.

    Periodic Hann window, as long as the FFT, on frames centred at multiples
    of the hop (half a window is mirrored at both ends); power, then
    triangular bands on Slaney's mel scale, each of area 1. The values are
    those of torchlibrosa, which feeds PANNs (Kong et al., TASLP 2020). With
    the defaults, the rates 32000, 16000 and 8000 Hz give the front ends of
    the published Cnn14, Cnn14_16k and Cnn14_8k.

    Call: waveform (..., T) -> (..., frames, mel_bands) float32 in dB, with
    frames = 1 + T // hop; silence is -100 dB.

    Args:
      window_s: analysis window, seconds; rounded to an even number of samples.
      hop_s: time between frames, seconds.
      low_hz: lower edge of the lowest band.
      high_hz: upper edge of the highest band; None for half the rate, at most
        14000.

    Raises:
      ValueError: the band edges are not 0 <= low < high <= rate / 2; in a
        call, the waveform is not longer than half a window.
    """

    def __init__(
        self,
        sample_rate_hz: int = 16000,
        window_s: float = 0.032,
        hop_s: float = 0.010,
        mel_bands: int = 64,
        low_hz: float = 50.0,
        high_hz: float | None = None,
        **kwargs,
    ):
        # Powers and logarithms need at least float32.
        kwargs["dtype"] = wide_dtype()
        super().__init__(**kwargs)
        top_hz = min(14000, sample_rate_hz / 2) if high_hz is None else high_hz
        check_bands(sample_rate_hz, low_hz, top_hz)
        self.sample_rate_hz = sample_rate_hz
        self.mel_bands = mel_bands
        self.margin_samples = round(window_s * sample_rate_hz / 2)
        self.window_samples = 2 * self.margin_samples
        self.hop_samples = round(hop_s * sample_rate_hz)
        self.mel_matrix = slaney_mel_matrix(
            self.margin_samples + 1, sample_rate_hz, mel_bands, low_hz, top_hz
        ).astype("f4")
        self.built = True

    def samples_for(self, frames: int) -> int:
        """The shortest length in samples that gives `frames` frames."""
        return (frames - 1) * self.hop_samples

    def call(self, waveform):
        samples = waveform.shape[-1]
        if samples is not None and samples <= self.margin_samples:
            raise ValueError(
                f"half a window is mirrored at both ends: {samples} samples "
                f"are too few, it takes {self.margin_samples + 1}"
            )
        margins = [[0, 0]] * (len(waveform.shape) - 1)
        margins.append([self.margin_samples, self.margin_samples])
        power = power_spectrogram(
            ops.pad(waveform, margins, mode="reflect"),
            self.window_samples,
            self.hop_samples,
            self.window_samples,
        )
        mel = ops.matmul(power, self.mel_matrix)
        return 10 * ops.log10(ops.maximum(mel, _POWER_FLOOR))

    def energy(self, log_mel):
        """Mel powers > 0 of values of this front end."""
        return ops.exp(_LOG_PER_DB * log_mel)

    def of_energy(self, energy):
        """The values of this front end for what `energy` gives."""
        return ops.log(ops.maximum(energy, _POWER_FLOOR)) / _LOG_PER_DB


def slaney_mel_matrix(
    num_bins: int,
    sample_rate_hz: int,
    mel_bands: int,
    low_hz: float,
    high_hz: float,
) -> np.ndarray:
    """Triangles of area 1, linear in hertz: float64 (num_bins, mel_bands).

    Slaney's scale (Auditory Toolbox, 1998): 3 mel in 200 Hz up to 1000 Hz,
    above that 27 mel for a factor of 6.4. Band edges are equally spaced in
    mel.
    """
    knee_hz, knee_mel = 1000.0, 15.0
    nepers_per_mel = np.log(6.4) / 27

    def mel(hz):
        if hz < knee_hz:
            return hz * knee_mel / knee_hz
        return knee_mel + np.log(hz / knee_hz) / nepers_per_mel

    mels = np.linspace(mel(low_hz), mel(high_hz), mel_bands + 2)
    edges = np.where(
        mels < knee_mel,
        mels * knee_hz / knee_mel,
        knee_hz * np.exp(nepers_per_mel * (mels - knee_mel)),
    )
    bins = np.linspace(0, sample_rate_hz / 2, num_bins)
    return triangles(bins, edges) * 2 / (edges[2:] - edges[:-2])
