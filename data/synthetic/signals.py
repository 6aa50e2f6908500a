"""Signal building blocks of the synthetic events and backgrounds (NumPy).

In all of them `rng` is the source of every random choice, `num_samples` the
length of the result, and `rate_hz` the sample rate.
"""

import numpy as np
import scipy  # Its fft is loaded where a scene is made.

Rng = np.random.Generator

# Nothing is synthesized above this share of the sample rate, so that no
# partial aliases or sits on the Nyquist edge.
_MAX_RELATIVE_HZ = 0.45


def times_s(num_samples: int, rate_hz: int) -> np.ndarray:
    """Returns the time of each sample in seconds, (num_samples,)."""
    return np.arange(num_samples) / rate_hz


def to_samples(duration_s: float, rate_hz: int) -> int:
    """Returns the duration in whole samples, at least one."""
    return max(1, round(duration_s * rate_hz))


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """Draws a value whose logarithm is uniform between two bounds."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def random_register_hz(rng: Rng, rate_hz: int) -> float:
    """Draws the pitch region of a pitched event, in Hz.

    Every pitched class draws from this one range (our choice), so that the
    place on the frequency axis does not give the class away.
    """
    return log_uniform(rng, 300.0, min(2600.0, 0.16 * rate_hz))


def random_rolloff(rng: Rng, num_harmonics: int) -> np.ndarray:
    """Draws harmonic amplitudes of a random tilt, (num_harmonics,)."""
    orders = np.arange(1, num_harmonics + 1)
    tilt = orders ** -rng.uniform(0.4, 2.5)
    return tilt * rng.uniform(0.3, 1.0, num_harmonics)


def harmonics(
    f0_hz: np.ndarray, amplitudes: np.ndarray, rate_hz: int
) -> np.ndarray:
    """Sums harmonics of a gliding fundamental, (samples,).

    Args:
        f0_hz: fundamental at each sample, (samples,).
        amplitudes: one per harmonic, (harmonics,). Harmonics that would
            pass 0.45 of the sample rate are left out.
    """
    phase = np.cumsum(f0_hz) * (2.0 * np.pi / rate_hz)
    highest = int(_MAX_RELATIVE_HZ * rate_hz / np.max(f0_hz))
    amplitudes = amplitudes[: max(1, highest)]
    # sin((k+1)p) = 2 cos(p) sin(kp) - sin((k-1)p): two multiplications per
    # harmonic, where a sine each would cost ten times as much.
    previous, current = np.zeros_like(phase), np.sin(phase)
    twice_cosine = 2.0 * np.cos(phase)
    total = amplitudes[0] * current
    for amplitude in amplitudes[1:]:
        previous, current = current, twice_cosine * current - previous
        total += amplitude * current
    return total


def damped_modes(
    mode_hz: np.ndarray,
    amplitudes: np.ndarray,
    decays_s: np.ndarray,
    num_samples: int,
    rate_hz: int,
) -> np.ndarray:
    """Sums decaying sinusoids that start at sample 0, (num_samples,).

    Args:
        mode_hz: frequency of each mode, (modes,).
        amplitudes: initial amplitude of each mode, (modes,).
        decays_s: time to fall to 1/e, (modes,).
    """
    audible = mode_hz < _MAX_RELATIVE_HZ * rate_hz
    exponents = (2j * np.pi * mode_hz - 1.0 / decays_s) / rate_hz
    # exp(c (a M + b)) = exp(c a M) exp(c b): two short tables per mode.
    block = int(np.ceil(np.sqrt(num_samples)))
    total = np.zeros((block, block))
    for exponent, amplitude in zip(
        exponents[audible], amplitudes[audible], strict=True
    ):
        coarse = amplitude * np.exp(exponent * block * np.arange(block))
        fine = np.exp(exponent * np.arange(block))
        total += np.outer(coarse, fine).imag
    return total.ravel()[:num_samples]


def recolor(audio: np.ndarray, rng: Rng, rate_hz: int) -> np.ndarray:
    """Filters (samples,) by a random smooth equalizer, zero phase.

    Gains at eight frequencies, an octave apart and 62.5 Hz the lowest, are
    normal with a deviation of 5 dB, and linear in between on the
    log-frequency axis. Together with a random tilt of up to 3 dB per octave
    this makes the average spectrum of an event say little about its class
    (our choice).
    """
    octaves = np.arange(8.0)
    gains_db = rng.normal(0.0, 5.0, octaves.size)
    gains_db += rng.uniform(-3.0, 3.0) * (octaves - octaves.mean())
    # The padding keeps the filter's short response from wrapping around.
    padded = scipy.fft.next_fast_len(audio.size + 512, real=True)
    bins_hz = np.arange(padded // 2 + 1) * (rate_hz / padded)
    # Gains follow the bins coarsely (a few Hz): interpolating logarithms at
    # every bin of a long waveform would cost more than the transforms.
    grid_hz = np.linspace(0.0, bins_hz[-1], 513)
    grid_octaves = np.log2(np.maximum(grid_hz, 1.0) / 62.5)
    grid_gains = 10.0 ** (np.interp(grid_octaves, octaves, gains_db) / 20.0)
    spectrum = scipy.fft.rfft(audio, padded)
    spectrum *= np.interp(bins_hz, grid_hz, grid_gains)
    return scipy.fft.irfft(spectrum, padded)[: audio.size]


def swept_noise(
    rng: Rng, center_hz: np.ndarray, width_octaves: float, rate_hz: int
) -> np.ndarray:
    """Draws noise whose spectral peak moves, (samples,).

    Args:
        center_hz: peak at each sample, (samples,).
        width_octaves: standard deviation of the bell-shaped gain.
    """
    num_samples = center_hz.size
    frame, hop = 512, 256
    num_frames = num_samples // hop + 2
    starts = np.minimum(np.arange(num_frames) * hop, num_samples - 1)
    bins_hz = np.maximum(np.arange(frame // 2 + 1), 0.5)
    bins_hz *= rate_hz / frame
    ratios = bins_hz[None, :] / center_hz[starts][:, None]
    distance = np.log2(ratios) / width_octaves
    noise = rng.standard_normal((num_frames, frame))
    # (frames, frame)
    spectra = scipy.fft.rfft(noise) * np.exp(-0.5 * distance**2)
    frames = scipy.fft.irfft(spectra, frame)
    # Frames are independent, so sine windows add up to constant power.
    frames *= np.sin(np.pi * (np.arange(frame) + 0.5) / frame)
    halves = frames.reshape(num_frames, 2, hop)
    overlapped = halves[1:, 0] + halves[:-1, 1]
    return overlapped.ravel()[:num_samples]


def decay_envelope(
    num_samples: int, attack_s: float, decay_s: float, rate_hz: int
) -> np.ndarray:
    """Returns a linear attack then an exponential decay, (num_samples,)."""
    time_s = times_s(num_samples, rate_hz)
    return np.minimum(time_s / attack_s, 1.0) * np.exp(-time_s / decay_s)


def gate(
    time_s: np.ndarray, period_s: float, duty: float, edge_s: float
) -> np.ndarray:
    """Returns a periodic on/off gain, 0 to 1, with edges of `edge_s`."""
    within_s = np.mod(time_s, period_s)
    rise = within_s / edge_s
    fall = (duty * period_s - within_s) / edge_s
    return np.clip(np.minimum(rise, fall), 0.0, 1.0)


def add_at(target: np.ndarray, start: int, piece: np.ndarray) -> None:
    """Adds a piece into `target` in place; what passes its end is cut."""
    stop = min(start + piece.size, target.size)
    if start < stop:
        target[start:stop] += piece[: stop - start]
