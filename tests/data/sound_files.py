"""Sound files for tests, and what is heard in audio."""

import pathlib

import numpy as np
import soundfile


def tone(
    seconds: float = 1.0,
    rate_hz: int = 16000,
    frequency_hz: float = 1000.0,
    amplitude: float = 0.5,
) -> np.ndarray:
    """A sine, (T,) float64."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return amplitude * np.sin(2 * np.pi * frequency_hz * time_s)


def write(
    path: pathlib.Path,
    audio: np.ndarray | None = None,
    rate_hz: int = 16000,
    **options,
) -> pathlib.Path:
    """Writes audio, by default a tone of 1 s, making folders as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    audio = tone(rate_hz=rate_hz) if audio is None else audio
    soundfile.write(str(path), audio, rate_hz, **options)
    return path


def frequency_hz(audio: np.ndarray, rate_hz: int) -> float:
    """The strongest frequency, to the width of a Fourier bin."""
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(audio.size)))
    return spectrum.argmax() * rate_hz / audio.size


def amplitude(audio: np.ndarray) -> float:
    """That of a sine with the RMS of the middle half."""
    middle = audio[audio.size // 4 : -audio.size // 4]
    return float(np.sqrt(2 * np.mean(np.square(middle))))
