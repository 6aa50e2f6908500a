"""Synthetic backgrounds: one `Synthesizer` per kind, and their registry.

As for the events, the color is random and the kind lies in the structure (our
choice).
"""

import numpy as np

from data.synthetic.signals import (
    Rng,
    Synthesizer,
    harmonics,
    log_uniform,
    random_rolloff,
    swept_noise,
    times_s,
)


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


BACKGROUND_SYNTHESIZERS: dict[str, Synthesizer] = {
    synthesizer.__name__: synthesizer
    for synthesizer in (colored_noise, hum, rain, wind)
}
