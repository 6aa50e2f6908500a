"""The registry of synthetic sound events: one `Synthesizer` per class.

A class is what its function keeps fixed: the pitch contour, the rhythm, the
modulation, the shape of attack and decay, harmonic or inharmonic or noise.
Pitch region, timbre, tempo within the class and spectral tilt are drawn anew
for each event. All numbers are our choice, tuned to the difficulty stated in
`scenes.py`; no class is a model of the physical source.
"""

import numpy as np

from data.synthetic import noisy_events, pitched_events
from data.synthetic.signals import Rng, Synthesizer, recolor, to_samples

EVENT_SYNTHESIZERS: dict[str, Synthesizer] = {
    synthesizer.__name__: synthesizer
    for synthesizer in (
        pitched_events.alarm_beeps,
        pitched_events.bell,
        pitched_events.bird_chirps,
        noisy_events.crackle,
        pitched_events.cricket,
        noisy_events.dog_bark,
        noisy_events.engine,
        noisy_events.footsteps,
        noisy_events.knocking,
        pitched_events.siren,
        noisy_events.speech,
        pitched_events.telephone_ring,
        pitched_events.water_drips,
        noisy_events.whoosh,
    )
}


def synthesize_event(
    name: str, rng: Rng, num_samples: int, rate_hz: int
) -> np.ndarray:
    """One event, a key of `EVENT_SYNTHESIZERS`, its ends faded.

    Returns:
        Waveform at an arbitrary level, (num_samples,), randomly colored.
    """
    audio = EVENT_SYNTHESIZERS[name](rng, num_samples, rate_hz)
    audio = recolor(audio, rng, rate_hz)
    fade_size = min(to_samples(0.01, rate_hz), num_samples // 2)
    fade = (np.arange(fade_size) + 0.5) / max(1, fade_size)
    audio[:fade_size] *= fade
    audio[num_samples - fade_size :] *= fade[::-1]
    return audio
