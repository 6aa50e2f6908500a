"""The registry of synthetic sound events: one function per class.

Each function takes a random generator, a length in samples and a sample rate
in Hz, and returns a waveform of that length at an arbitrary level. A class is
what its function keeps fixed: the pitch contour, the rhythm, the modulation,
the shape of attack and decay, harmonic or inharmonic or noise. Pitch region,
timbre, tempo within the class and spectral tilt are drawn anew for each
event. All numbers are our choice, tuned to the difficulty stated
in `scenes.py`; no class is a model of the physical source.
"""

from collections.abc import Callable

import numpy as np

from data.synthetic.noisy_events import (
    crackle,
    dog_bark,
    engine,
    footsteps,
    knocking,
    speech,
    whoosh,
)
from data.synthetic.pitched_events import (
    alarm_beeps,
    bell,
    bird_chirps,
    cricket,
    siren,
    telephone_ring,
    water_drips,
)
from data.synthetic.signals import recolor, to_samples

EVENT_SYNTHESIZERS: dict[
    str, Callable[[np.random.Generator, int, int], np.ndarray]
] = {
    synthesizer.__name__: synthesizer
    for synthesizer in (
        alarm_beeps,
        bell,
        bird_chirps,
        crackle,
        cricket,
        dog_bark,
        engine,
        footsteps,
        knocking,
        siren,
        speech,
        telephone_ring,
        water_drips,
        whoosh,
    )
}


def synthesize_event(
    name: str,
    rng: np.random.Generator,
    num_samples: int,
    sample_rate_hz: int,
) -> np.ndarray:
    """Returns one randomly colored event with faded ends.

    Args:
        name: a key of `EVENT_SYNTHESIZERS`.
        rng: source of every random choice.
        num_samples: length of the event.
        sample_rate_hz: samples per second.

    Returns:
        Waveform at an arbitrary level, (num_samples,).
    """
    audio = EVENT_SYNTHESIZERS[name](rng, num_samples, sample_rate_hz)
    audio = recolor(audio, rng, sample_rate_hz)
    fade_size = min(to_samples(0.01, sample_rate_hz), num_samples // 2)
    fade = (np.arange(fade_size) + 0.5) / max(1, fade_size)
    audio[:fade_size] *= fade
    audio[num_samples - fade_size :] *= fade[::-1]
    return audio
