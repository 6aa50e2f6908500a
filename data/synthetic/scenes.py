"""Synthetic labeled sound scenes, made from nothing but random numbers.

For tests, the quick start and small experiments that need audio with known
labels and known sources. It is not real data: fourteen classes with simple
structure, no reverberation, no recordings. A score on it says that a method
works, not how well it would do on AudioSet.

Difficulty (our choice): a class is defined by structure in time and
frequency (`sounds.py`), while pitch region, spectral color, level
and placement are random, and so is the color of the background. A source
sounds again and again in its scene, each time drawn anew. So the mean and
standard deviation of a clip's log-mel bands say little, and what two moments
of a scene share is its classes.

Co-occurrence: every scene has a hidden type (`SCENE_TYPES`). Each event is
drawn, without repeating a class, from the type's own classes with probability
`1 - STRAY_PROBABILITY` and otherwise from all classes; the background kind is
drawn from the type's two kinds by the same rule. One part of a scene thus
tells something about the others, which is what learning from separated
channels assumes. Types overlap, so a single class leaves the type open.
"""

import dataclasses

import numpy as np

from data.synthetic import sounds
from data.synthetic.signals import Rng, log_uniform, recolor, to_samples

# Scene type: (its event classes, its background kinds), by their functions in
# `sounds`.
SCENE_TYPES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "street": (
        ("engine", "footsteps", "siren", "speech"),
        ("colored_noise", "wind"),
    ),
    "home": (
        ("footsteps", "knocking", "speech", "telephone_ring", "water_drips"),
        ("hum", "colored_noise"),
    ),
    "meadow": (
        ("bell", "bird_chirps", "cricket", "dog_bark", "whoosh"),
        ("wind", "rain"),
    ),
    "workshop": (
        ("alarm_beeps", "bell", "engine", "knocking", "siren"),
        ("hum", "colored_noise"),
    ),
    "camp": (
        ("bird_chirps", "crackle", "cricket", "dog_bark", "water_drips"),
        ("rain", "wind"),
    ),
    "plant": (
        ("alarm_beeps", "crackle", "telephone_ring", "whoosh"),
        ("hum", "rain"),
    ),
}

CLASS_NAMES, BACKGROUNDS = (
    tuple(sorted(set().union(*names)))
    for names in zip(*SCENE_TYPES.values(), strict=True)
)

STRAY_PROBABILITY = 0.15

# Events in a scene, and their levels over the background, both measured where
# they are active.
MIN_EVENTS, MAX_EVENTS = 1, 4
MIN_LEVEL_DB, MAX_LEVEL_DB = 0.0, 20.0

_PEAK = 0.95
# How long a source sounds each time, and the pauses in between.
_INSTANCE_S = (0.9, 1.8)
_PAUSE_S = (0.05, 0.4)
_LEVEL_SPREAD_DB = 3.0


@dataclasses.dataclass(frozen=True)
class Scene:
    """One scene and what it is made of.

    Attributes:
        audio: the scene, float32 (samples,), absolute peak at most 0.95.
        stems: its sources, float32 (events + 1, samples): the events, then
            the background. `audio` equals `stems.sum(axis=0)` exactly.
        stem_names: class of each event, then "background:<kind>".
        labels: the classes of the events, sorted, each once.
    """

    audio: np.ndarray
    stems: np.ndarray
    stem_names: tuple[str, ...]
    labels: tuple[str, ...]


def _active_rms(audio: np.ndarray, rate_hz: int) -> float:
    """RMS over the 50 ms blocks within 20 dB of the loudest block.

    A level over the whole event would make sparse events (knocks) much
    louder where they sound than steady ones (a siren).
    """
    block = to_samples(0.05, rate_hz)
    blocks = np.pad(audio, (0, -audio.size % block)).reshape(-1, block)
    powers = np.mean(np.square(blocks), axis=1)
    active = powers >= 0.01 * powers.max()
    # Events of a few samples can be all zeros.
    return max(float(np.sqrt(powers[active].mean())), 1e-9)


def synthesize(
    name: str, rng: Rng, num_samples: int, rate_hz: int
) -> np.ndarray:
    """One event with faded ends, or one background; randomly colored."""
    audio = getattr(sounds, name)(rng, num_samples, rate_hz)
    audio = recolor(audio, rng, rate_hz)
    if name in CLASS_NAMES:
        fade_size = min(to_samples(0.01, rate_hz), num_samples // 2)
        fade = (np.arange(fade_size) + 0.5) / max(1, fade_size)
        audio[:fade_size] *= fade
        audio[num_samples - fade_size :] *= fade[::-1]
    return audio


def _add_instances(
    stem: np.ndarray,
    name: str,
    rng: Rng,
    rate_hz: int,
    level_db: float,
    active_s: tuple[float, float],
    pause_s: tuple[float, float],
) -> None:
    """Adds to (samples,) one instance of a source after another.

    They sound between the seconds `active_s`, with pauses between the two of
    `pause_s`, and are at `level_db` on average, relative to RMS 1.
    """
    position = round(active_s[0] * rate_hz)
    end = min(stem.size, round(active_s[1] * rate_hz))
    while position < end:
        instance_s = log_uniform(rng, *_INSTANCE_S)
        size = min(to_samples(instance_s, rate_hz), stem.size - position)
        instance = synthesize(name, rng, size, rate_hz)
        gain_db = level_db + rng.uniform(-_LEVEL_SPREAD_DB, _LEVEL_SPREAD_DB)
        instance *= 10.0 ** (gain_db / 20.0) / _active_rms(instance, rate_hz)
        stem[position : position + size] += instance
        position += size + round(rng.uniform(*pause_s) * rate_hz)


def generate_scene(
    seed: int, index: int, seconds: float = 5.0, sample_rate_hz: int = 16000
) -> Scene:
    """Generates scene number `index` of the collection `seed`.

    The result depends on the arguments alone: not on which scenes were
    generated before, nor on the process.

    Args:
        seed: names the collection, at least 0.
        index: names the scene in it, at least 0.
        seconds: length of the scene.
        sample_rate_hz: at least 4000 for the events to be recognizable.
    """
    rng = Rng(np.random.PCG64([seed, index]))
    types = list(SCENE_TYPES.values())
    own_classes, own_kinds = types[rng.integers(len(types))]
    count = rng.integers(MIN_EVENTS, MAX_EVENTS + 1)
    own = np.isin(CLASS_NAMES, own_classes)
    probabilities = np.full(own.size, STRAY_PROBABILITY / own.size)
    probabilities[own] += (1.0 - STRAY_PROBABILITY) / own.sum()
    drawn = rng.choice(own.size, count, replace=False, p=probabilities)
    classes = [CLASS_NAMES[number] for number in drawn]
    if rng.uniform() < STRAY_PROBABILITY:
        own_kinds = BACKGROUNDS
    kind = own_kinds[rng.integers(len(own_kinds))]

    num_samples = to_samples(seconds, sample_rate_hz)
    stems = np.zeros((count + 1, num_samples), np.float32)
    for stem, name in zip(stems[:-1], classes, strict=True):
        level_db = rng.uniform(MIN_LEVEL_DB, MAX_LEVEL_DB)
        active_s = rng.uniform(0.6, 1.0) * seconds
        begin_s = rng.uniform(0.0, seconds - active_s)
        _add_instances(
            stem,
            name,
            rng,
            sample_rate_hz,
            level_db,
            (begin_s, begin_s + active_s),
            _PAUSE_S,
        )
    _add_instances(
        stems[-1], kind, rng, sample_rate_hz, 0.0, (0.0, seconds), (0.0, 0.0)
    )

    # The margin covers the rounding of the float32 sum.
    stems *= (1.0 - 1e-5) * _PEAK / np.abs(stems.sum(axis=0)).max()
    return Scene(
        audio=stems.sum(axis=0),
        stems=stems,
        stem_names=(*classes, f"background:{kind}"),
        labels=tuple(sorted(set(classes))),
    )
