"""Pitched synthetic events: steady, keyed, gliding or struck tones.

One function per class; what they share is stated in `events.py`.
"""

import numpy as np

from data.synthetic.signals import (
    Rng,
    add_at,
    damped_modes,
    decay_envelope,
    gate,
    harmonics,
    random_register_hz,
    random_rolloff,
    times_s,
    to_samples,
)


def alarm_beeps(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """A constant pitch keyed on and off with hard edges, 2 to 5 Hz."""
    time_s = times_s(num_samples, rate_hz)
    f0_hz = np.full(num_samples, random_register_hz(rng, rate_hz))
    tone = harmonics(f0_hz, random_rolloff(rng, 8), rate_hz)
    keying = gate(
        time_s, 1.0 / rng.uniform(2.0, 5.0), rng.uniform(0.4, 0.65), 0.004
    )
    return tone * keying


def bell(rng: Rng, num_samples: int, rate_hz: int) -> np.ndarray:
    """Inharmonic partials struck at once, with a long decay."""
    ratios = np.array([0.5, 1.0, 1.19, 1.5, 2.0, 2.74, 3.76, 5.1])
    partials_hz = ratios * rng.uniform(0.98, 1.02, ratios.size)
    partials_hz *= random_register_hz(rng, rate_hz)
    # High partials die first.
    decays_s = rng.uniform(0.35, 0.9) * ratios ** -rng.uniform(0.3, 0.7)
    strike = damped_modes(
        partials_hz,
        rng.uniform(0.2, 1.0, ratios.size),
        decays_s,
        num_samples,
        rate_hz,
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
        chirp = harmonics(
            center_hz * 2.0**octaves, np.array([1.0, 0.1]), rate_hz
        )
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
    f0_hz = random_register_hz(rng, rate_hz) * np.where(
        upper, rng.uniform(1.2, 1.45), 1.0
    )
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
        add_at(
            audio, to_samples(onset_s, rate_hz), plop * rng.uniform(0.4, 1.0)
        )
        onset_s += 0.05 + rng.exponential(mean_gap_s)
    return audio
