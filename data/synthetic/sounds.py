"""Synthetic events and backgrounds, waveforms of any level (num_samples,).

A class is what its function keeps fixed: the pitch contour, the rhythm, the
modulation, the shape of attack and decay, harmonic or inharmonic or noise.
Pitch region, timbre, tempo within the class and spectral tilt are drawn anew
for each event, and so is the color of a background. All numbers are our
choice, tuned to the difficulty stated in `scenes.py`; no class is a model of
the physical source.
"""

import numpy as np

from data.synthetic.signals import (
    Rng,
    add_at,
    damped_modes,
    decay_envelope,
    gate,
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


def alarm_beeps(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """A constant pitch keyed on and off with hard edges, 2 to 5 Hz."""
    time_s = times_s(num_samples, rate_hz)
    f0_hz = np.full(num_samples, random_register_hz(rng, rate_hz))
    tone = harmonics(f0_hz, random_rolloff(rng, 8), rate_hz)
    period_s = 1.0 / rng.uniform(2.0, 5.0)
    return tone * gate(time_s, period_s, rng.uniform(0.4, 0.65), 0.004)


def bell(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """Inharmonic partials struck at once, with a long decay."""
    ratios = np.array([0.5, 1.0, 1.19, 1.5, 2.0, 2.74, 3.76, 5.1])
    partials_hz = ratios * rng.uniform(0.98, 1.02, ratios.size)
    partials_hz *= random_register_hz(rng, rate_hz)
    # High partials die first.
    decays_s = rng.uniform(0.35, 0.9) * ratios ** -rng.uniform(0.3, 0.7)
    amplitudes = rng.uniform(0.2, 1.0, ratios.size)
    strike = damped_modes(
        partials_hz, amplitudes, decays_s, num_samples, rate_hz
    )
    audio = np.zeros(num_samples)
    interval_s = rng.uniform(0.5, 1.3)
    for strike_s in np.arange(0.0, num_samples / rate_hz, interval_s):
        start = to_samples(strike_s, rate_hz)
        add_at(audio, start, strike * rng.uniform(0.6, 1.0))
    return audio


def bird_chirps(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """A motif of short whistled glides, repeated with irregular gaps."""
    center_hz = random_register_hz(rng, rate_hz)
    motif = []
    for _ in range(rng.integers(2, 5)):
        size = to_samples(rng.uniform(0.06, 0.16), rate_hz)
        course = np.linspace(-1.0, 1.0, size)
        slope, bend = rng.choice([-1.0, 1.0]), rng.uniform(-0.6, 0.6)
        octaves = rng.uniform(0.25, 0.6) * (slope * course + bend * course**2)
        f0_hz = center_hz * 2.0**octaves
        chirp = harmonics(f0_hz, np.array([1.0, 0.1]), rate_hz)
        motif.append(chirp * np.hanning(size))
    gap_s = rng.uniform(0.02, 0.07)
    audio = np.zeros(num_samples)
    start = 0
    while start < num_samples:
        for chirp in motif:
            add_at(audio, start, chirp * rng.uniform(0.6, 1.0))
            start += chirp.size + to_samples(gap_s, rate_hz)
        start += to_samples(rng.uniform(0.1, 0.5), rate_hz)
    return audio


def cricket(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """A constant pure pitch in 18 to 28 Hz pulses, grouped into chirps."""
    time_s = times_s(num_samples, rate_hz)
    f0_hz = np.full(num_samples, random_register_hz(rng, rate_hz))
    tone = harmonics(f0_hz, np.array([1.0, 0.05]), rate_hz)
    pulses = np.sin(np.pi * rng.uniform(18.0, 28.0) * time_s) ** 4
    period_s = rng.uniform(0.35, 0.8)
    return tone * pulses * gate(time_s, period_s, rng.uniform(0.5, 0.8), 0.03)


def siren(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """A steady harmonic tone in a slow periodic sweep, 0.4 to 1.6 Hz."""
    time_s = times_s(num_samples, rate_hz)
    phase = 2 * np.pi * (rng.uniform(0.4, 1.6) * time_s + rng.uniform())
    # arcsin(k sin) goes from a sine (small k) to a triangle (k = 1).
    corner = rng.uniform(0.3, 0.99)
    sweep = np.arcsin(corner * np.sin(phase)) / np.arcsin(corner)
    center_hz = random_register_hz(rng, rate_hz)
    f0_hz = center_hz * 2.0 ** (rng.uniform(0.25, 0.6) * sweep)
    return harmonics(f0_hz, random_rolloff(rng, 8), rate_hz)


def telephone_ring(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """Two pitches alternating at 11 to 17 Hz, in rings with pauses."""
    time_s = times_s(num_samples, rate_hz)
    warble_hz = rng.uniform(11.0, 17.0)
    upper = np.mod(warble_hz * time_s, 1.0) < 0.5
    lower_hz = random_register_hz(rng, rate_hz)
    f0_hz = lower_hz * np.where(upper, rng.uniform(1.2, 1.45), 1.0)
    tone = harmonics(f0_hz, random_rolloff(rng, 6), rate_hz)
    period_s = rng.uniform(0.9, 1.6)
    return tone * gate(time_s, period_s, rng.uniform(0.6, 0.75), 0.01)


def water_drips(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """Isolated plops, each a decaying rising glide of its own pitch."""
    center_hz = random_register_hz(rng, rate_hz)
    mean_gap_s = rng.uniform(0.12, 0.35)
    audio = np.zeros(num_samples)
    onset_s = 0.0
    while onset_s < num_samples / rate_hz:
        decay_s = rng.uniform(0.015, 0.04)
        size = to_samples(5 * decay_s, rate_hz)
        time_s = times_s(size, rate_hz)
        start_hz = center_hz * 2.0 ** rng.uniform(-0.6, 0.6)
        f0_hz = start_hz * 2.0 ** (rng.uniform(0.15, 0.3) * time_s / decay_s)
        f0_hz = np.minimum(f0_hz, 0.45 * rate_hz)
        plop = harmonics(f0_hz, np.ones(1), rate_hz)
        plop *= decay_envelope(size, 0.002, decay_s, rate_hz)
        start = to_samples(onset_s, rate_hz)
        add_at(audio, start, plop * rng.uniform(0.4, 1.0))
        onset_s += 0.05 + rng.exponential(mean_gap_s)
    return audio


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
    f0_hz = pulse_hz * rng.integers(4, 9)
    buzz = harmonics(f0_hz, random_rolloff(rng, 40), rate_hz)
    roughness = rng.uniform(0.3, 1.0) * buzz.std()
    buzz += roughness * rng.standard_normal(num_samples)
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
    amplitudes = rng.uniform(0.3, 1.0, modes_hz.size)
    decays_s = rng.uniform(0.008, 0.025, modes_hz.size)
    knock = damped_modes(modes_hz, amplitudes, decays_s, size, rate_hz)
    click = decay_envelope(size, 0.0005, 0.002, rate_hz)
    interval_s = 1.0 / rng.uniform(5.0, 8.0)
    audio = np.zeros(num_samples)
    onset_s = 0.0
    while onset_s < num_samples / rate_hz:
        for _ in range(rng.integers(3, 7)):
            noisy_knock = knock + 0.7 * click * rng.standard_normal(size)
            start = to_samples(onset_s, rate_hz)
            add_at(audio, start, noisy_knock * rng.uniform(0.8, 1.0))
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
    formants_hz = tract_scale * _VOWEL_FORMANTS_HZ[:, :, None]
    distance_hz = orders * f0_hz - formants_hz
    vowels = (1.0 / (1.0 + (distance_hz / 110.0) ** 2)).sum(1) + 0.01
    vowels *= orders**-0.4
    audio = np.zeros(num_samples)
    start = 0
    vowel = rng.integers(len(vowels))
    while start < num_samples:
        size = to_samples(syllable_s * rng.uniform(0.7, 1.2), rate_hz)
        course = np.linspace(0.0, 1.0, size)
        contour_hz = f0_hz * rng.uniform(0.88, 1.14)
        contour_hz = contour_hz * 2.0 ** (rng.uniform(-0.25, 0.15) * course)
        following = rng.integers(len(vowels))
        # The two vowels share their phases, so the fade moves the formants.
        from_vowel = harmonics(contour_hz, vowels[vowel], rate_hz)
        to_vowel = harmonics(contour_hz, vowels[following], rate_hz)
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


def colored_noise(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """Steady noise; its color comes from `recolor`."""
    return rng.standard_normal(num_samples)


def hum(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """Steady mains-like harmonics over noise."""
    f0_hz = np.full(num_samples, log_uniform(rng, 45.0, 160.0))
    tone = harmonics(f0_hz, random_rolloff(rng, 24), rate_hz)
    noise = rng.standard_normal(num_samples)
    # A single sample has no deviation.
    tone /= tone.std() or 1.0
    return tone + rng.uniform(0.3, 1.0) * noise


def rain(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """Dense drops of differing strength over steady noise."""
    drops = rng.standard_normal(num_samples)
    drops *= rng.random(num_samples) < 400.0 / rate_hz
    drops *= np.sqrt(rate_hz / 400.0)
    return drops + rng.uniform(0.5, 1.2) * rng.standard_normal(num_samples)


def wind(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """Broad noise whose level and peak drift with slow gusts."""
    time_s = times_s(num_samples, rate_hz)
    rates_hz, starts = rng.uniform(0.1, 0.5, 3), rng.uniform(0.0, 1.0, 3)
    gusts = np.sin(2 * np.pi * (np.outer(rates_hz, time_s) + starts[:, None]))
    gust = gusts.mean(0)
    center_hz = log_uniform(rng, 250.0, 1500.0) * 2.0 ** (0.7 * gust)
    return swept_noise(rng, center_hz, 1.2, rate_hz) * 2.0**gust
