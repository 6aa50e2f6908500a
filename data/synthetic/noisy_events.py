"""Noisy synthetic events: impacts, rough and voiced sounds, moving noise.

One function per class; what they share is stated in `events.py`.
"""

import numpy as np

from data.synthetic.signals import (
    Rng,
    add_at,
    damped_modes,
    decay_envelope,
    harmonics,
    log_uniform,
    random_register_hz,
    random_rolloff,
    swept_noise,
    times_s,
    to_samples,
)

# First three formants of five vowels in Hz (Peterson and Barney's averages
# for men, rounded).
_VOWEL_FORMANTS_HZ = np.array(
    [
        [270.0, 2290.0, 3010.0],
        [530.0, 1840.0, 2480.0],
        [730.0, 1090.0, 2440.0],
        [570.0, 840.0, 2410.0],
        [300.0, 870.0, 2240.0],
    ]
)


def crackle(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """Random dry clicks of widely differing strength, 12 to 45 a second."""
    clicks_hz = rng.uniform(12.0, 45.0)
    # At least one, so that a very short event is not silent.
    count = 1 + rng.poisson(clicks_hz * num_samples / rate_hz)
    strengths = np.exp(rng.normal(0.0, 0.9, count))
    size = to_samples(0.02, rate_hz)
    clicks = rng.standard_normal((count, size))
    decays_s = rng.uniform(0.0007, 0.004, (count, 1))
    clicks *= np.exp(-times_s(size, rate_hz) / decays_s)
    clicks *= strengths[:, None]
    audio = np.zeros(num_samples)
    starts = rng.integers(num_samples, size=count)
    for start, click in zip(starts, clicks, strict=True):
        add_at(audio, start, click)
    return audio


def dog_bark(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """Rough bursts of one rise and fall in pitch, in ones to threes."""
    f0_peak_hz = log_uniform(rng, 220.0, 900.0)
    rise_octaves = rng.uniform(0.5, 1.0)
    amplitudes = random_rolloff(rng, 14)
    audio = np.zeros(num_samples)
    start = 0
    while start < num_samples:
        for _ in range(rng.integers(1, 4)):
            size = to_samples(rng.uniform(0.13, 0.24), rate_hz)
            course = np.linspace(0.0, 1.0, size)
            # Skewed arch: up fast, down slowly.
            arch = np.sin(np.pi * course**0.6)
            f0_hz = f0_peak_hz * 2.0 ** (rise_octaves * (arch - 1.0))
            voiced = harmonics(f0_hz, amplitudes, rate_hz)
            rough = voiced + 0.3 * voiced.std() * rng.standard_normal(size)
            add_at(audio, start, rough * arch * rng.uniform(0.6, 1.0))
            start += size + to_samples(rng.uniform(0.06, 0.16), rate_hz)
        start += to_samples(rng.uniform(0.25, 0.6), rate_hz)
    return audio


def engine(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """A buzz in harmonic and noise, pulsing at a drifting 9 to 22 Hz."""
    time_s = times_s(num_samples, rate_hz)
    drift = np.sin(2 * np.pi * (rng.uniform(0.1, 0.4) * time_s + rng.uniform()))
    pulse_hz = rng.uniform(9.0, 22.0) * 2.0 ** (rng.uniform(0.1, 0.35) * drift)
    buzz = harmonics(
        pulse_hz * rng.integers(4, 9), random_rolloff(rng, 40), rate_hz
    )
    buzz += (
        rng.uniform(0.3, 1.0) * buzz.std() * rng.standard_normal(num_samples)
    )
    cycle = np.cumsum(pulse_hz) / rate_hz
    # One sharp push, then a decay, in each cycle.
    return buzz * np.exp(-rng.uniform(2.0, 3.5) * np.mod(cycle, 1.0))


def footsteps(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """Soft noise bursts in pairs, heel and toe, 1.6 to 2.8 pairs a second."""
    heel_size = to_samples(0.2, rate_hz)
    heel = decay_envelope(heel_size, 0.006, 0.03, rate_hz)
    toe = decay_envelope(heel_size, 0.02, 0.04, rate_hz)
    toe_delay = to_samples(rng.uniform(0.07, 0.12), rate_hz)
    toe_gain = rng.uniform(0.4, 0.8)
    interval_s = 1.0 / rng.uniform(1.6, 2.8)
    audio = np.zeros(num_samples)
    onset_s = rng.uniform(0.0, 0.1)
    while onset_s < num_samples / rate_hz:
        start = to_samples(onset_s, rate_hz)
        noise = rng.standard_normal((2, heel_size))
        # A moving sum over three samples takes the hiss off the heel.
        noise[0] = np.convolve(noise[0], np.full(3, 0.6), mode="same")
        gain = rng.uniform(0.7, 1.0)
        add_at(audio, start, gain * heel * noise[0])
        add_at(audio, start + toe_delay, gain * toe_gain * toe * noise[1])
        onset_s += interval_s * rng.uniform(0.95, 1.05)
    return audio


def knocking(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """Groups of 3 to 6 equal short thuds at a regular 5 to 8 Hz."""
    modes_hz = log_uniform(rng, 180.0, 900.0) * np.array([1.0, 1.6, 2.7, 4.3])
    size = to_samples(0.12, rate_hz)
    knock = damped_modes(
        modes_hz,
        rng.uniform(0.3, 1.0, modes_hz.size),
        rng.uniform(0.008, 0.025, modes_hz.size),
        size,
        rate_hz,
    )
    click = decay_envelope(size, 0.0005, 0.002, rate_hz)
    interval_s = 1.0 / rng.uniform(5.0, 8.0)
    audio = np.zeros(num_samples)
    onset_s = 0.0
    while onset_s < num_samples / rate_hz:
        for _ in range(rng.integers(3, 7)):
            noisy_knock = knock + 0.7 * click * rng.standard_normal(size)
            add_at(
                audio,
                to_samples(onset_s, rate_hz),
                noisy_knock * rng.uniform(0.8, 1.0),
            )
            onset_s += interval_s
        onset_s += rng.uniform(0.25, 0.6)
    return audio


def speech(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """Formant babble: voiced syllables between vowels, some consonants."""
    f0_hz = log_uniform(rng, 85.0, 320.0)
    tract_scale = rng.uniform(0.8, 1.5)
    syllable_s = 1.0 / rng.uniform(3.2, 6.0)
    orders = np.arange(1, 41)
    # (vowels, harmonics): the sum of three resonances at each harmonic.
    distance_hz = (
        orders[None, None, :] * f0_hz
        - tract_scale * _VOWEL_FORMANTS_HZ[:, :, None]
    )
    vowels = (1.0 / (1.0 + (distance_hz / 110.0) ** 2)).sum(1) + 0.01
    vowels *= orders**-0.4
    audio = np.zeros(num_samples)
    start = 0
    vowel = rng.integers(len(vowels))
    while start < num_samples:
        size = to_samples(syllable_s * rng.uniform(0.7, 1.2), rate_hz)
        course = np.linspace(0.0, 1.0, size)
        contour_hz = (
            f0_hz
            * rng.uniform(0.88, 1.14)
            * 2.0 ** (rng.uniform(-0.25, 0.15) * course)
        )
        following = rng.integers(len(vowels))
        # The two vowels share their phases, so the fade moves the formants.
        from_vowel, to_vowel = (
            harmonics(contour_hz, vowels[index], rate_hz)
            for index in (vowel, following)
        )
        syllable = from_vowel * (1 - course) + to_vowel * course
        add_at(audio, start, syllable * np.sin(np.pi * course) ** 0.6)
        if rng.uniform() < 0.4:
            consonant = rng.standard_normal(size // 3)
            consonant = np.diff(consonant, prepend=0.0) * np.hanning(size // 3)
            add_at(audio, start, 0.3 * syllable.std() * consonant)
        vowel = following
        start += size
        if rng.uniform() < 0.12:
            start += to_samples(rng.uniform(0.1, 0.3), rate_hz)
    return audio


def whoosh(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """Noise that swells and fades as its peak sweeps up and back down."""
    time_s = times_s(num_samples, rate_hz)
    period_s = min(rng.uniform(0.6, 1.3), num_samples / rate_hz)
    swell = np.sin(np.pi * time_s / period_s) ** 2
    octaves = rng.uniform(0.8, 1.6) * (swell - 0.5)
    center_hz = random_register_hz(rng, rate_hz) * 2.0**octaves
    noise = swept_noise(rng, center_hz, rng.uniform(0.25, 0.5), rate_hz)
    return noise * swell
