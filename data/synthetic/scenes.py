"""Synthetic labeled sound scenes, made from nothing but random numbers.

For tests, the quick start and small experiments that need audio with known
labels and known sources. It is not real data: fourteen classes with simple
structure, no reverberation, no recordings. A score on it says that a method
works, not how well it would do on AudioSet.

Difficulty (our choice): a class is defined by structure in time and
frequency (`events.py`), while pitch region, spectral color, level
and placement are random, and so is the color of the background. A source
sounds again and again in its scene, and every time all of that is drawn anew.
So the mean and standard deviation of a clip's log-mel bands say little, and
what two moments of a scene share is its classes.

Co-occurrence: every scene has a hidden type (`SCENE_TYPES`). Each event is
drawn, without repeating a class, from the type's own classes with probability
`1 - STRAY_PROBABILITY` and otherwise from all classes; the background kind is
drawn from the type's two kinds by the same rule. One part of a scene thus
tells something about the others, which is what learning from separated
channels assumes. Types overlap, so a single class leaves the type open.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from data.synthetic.backgrounds import (
    BACKGROUND_SYNTHESIZERS,
    synthesize_background,
)
from data.synthetic.events import EVENT_SYNTHESIZERS, synthesize_event
from data.synthetic.signals import log_uniform

CLASS_NAMES: tuple[str, ...] = tuple(sorted(EVENT_SYNTHESIZERS))

# Scene type: (its event classes, its background kinds).
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

STRAY_PROBABILITY = 0.15

_PEAK = 0.95
# A source sounds again and again, each time drawn anew: what two times of a
# scene share is which sources it has, not their pitch or color.
_INSTANCE_S = (0.9, 1.8)
_PAUSE_S = (0.05, 0.4)
_LEVEL_SPREAD_DB = 3.0


@dataclasses.dataclass(frozen=True)
class SceneConfig:
    """What a scene looks like.

    Attributes:
        seconds: length of the scene in seconds.
        sample_rate_hz: samples per second.
        min_events: fewest events in a scene, at least 1.
        max_events: most events in a scene, at most the number of classes.
        min_level_db: lowest event level over the background, both measured
            where they are active.
        max_level_db: highest event level over the background.
    """

    seconds: float = 5.0
    sample_rate_hz: int = 16000
    min_events: int = 1
    max_events: int = 4
    min_level_db: float = 0.0
    max_level_db: float = 20.0

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ValueError(
                f"seconds must be positive, got {self.seconds}; "
                "the default is 5.0."
            )
        if self.sample_rate_hz < 4000:
            raise ValueError(
                "sample_rate_hz must be at least 4000 for the events to be "
                f"recognizable, got {self.sample_rate_hz}."
            )
        if not 1 <= self.min_events <= self.max_events <= len(CLASS_NAMES):
            raise ValueError(
                "need 1 <= min_events <= max_events <= "
                f"{len(CLASS_NAMES)} (the number of classes), got "
                f"min_events={self.min_events} and "
                f"max_events={self.max_events}."
            )
        if self.min_level_db > self.max_level_db:
            raise ValueError(
                f"min_level_db {self.min_level_db} is above max_level_db "
                f"{self.max_level_db}; swap them."
            )

    @property
    def num_samples(self) -> int:
        """Length of a scene in samples."""
        return max(1, round(self.seconds * self.sample_rate_hz))


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


def _active_rms(audio: np.ndarray, sample_rate_hz: int) -> float:
    """RMS over the 50 ms blocks within 20 dB of the loudest block.

    A level over the whole event would make sparse events (knocks) much
    louder where they sound than steady ones (a siren).
    """
    block = max(1, round(0.05 * sample_rate_hz))
    blocks = np.pad(audio, (0, -audio.size % block)).reshape(-1, block)
    powers = np.mean(np.square(blocks), axis=1)
    active = powers >= 0.01 * powers.max()
    # Events of a few samples can be all zeros.
    return max(float(np.sqrt(powers[active].mean())), 1e-9)


def _draw_classes(
    rng: np.random.Generator, own_classes: tuple[str, ...], count: int
) -> tuple[str, ...]:
    """Draws distinct event classes for a scene, its own ones preferred."""
    own = np.array([name in own_classes for name in CLASS_NAMES])
    probabilities = np.full(own.size, STRAY_PROBABILITY / own.size)
    probabilities[own] += (1.0 - STRAY_PROBABILITY) / own.sum()
    drawn = rng.choice(own.size, count, replace=False, p=probabilities)
    return tuple(CLASS_NAMES[index] for index in drawn)


def _draw_background(
    rng: np.random.Generator, own_kinds: tuple[str, ...]
) -> str:
    """Draws the background kind of a scene, its own ones preferred."""
    stray = rng.uniform() < STRAY_PROBABILITY
    kinds = tuple(BACKGROUND_SYNTHESIZERS) if stray else own_kinds
    return kinds[rng.integers(len(kinds))]


def _add_instances(
    stem: np.ndarray,
    synthesize: Callable[[np.random.Generator, int, int], np.ndarray],
    rng: np.random.Generator,
    rate_hz: int,
    level_db: float,
    active_s: tuple[float, float],
    pause_s: tuple[float, float],
) -> None:
    """Adds one instance of a source after another, each drawn anew.

    Args:
        stem: (samples,) that takes them.
        synthesize: (rng, samples, rate) -> one instance.
        rng: source of every random choice.
        rate_hz: samples per second.
        level_db: mean level of the instances, relative to RMS 1.
        active_s: first and last second of the source.
        pause_s: shortest and longest pause between instances.
    """
    position = round(active_s[0] * rate_hz)
    end = min(stem.size, round(active_s[1] * rate_hz))
    while position < end:
        instance_s = log_uniform(rng, *_INSTANCE_S)
        size = min(max(1, round(instance_s * rate_hz)), stem.size - position)
        instance = synthesize(rng, size, rate_hz)
        gain_db = level_db + rng.uniform(-_LEVEL_SPREAD_DB, _LEVEL_SPREAD_DB)
        instance *= 10.0 ** (gain_db / 20.0) / _active_rms(instance, rate_hz)
        stem[position : position + size] += instance
        position += size + round(rng.uniform(*pause_s) * rate_hz)


def generate_scene(
    seed: int, index: int, config: SceneConfig | None = None
) -> Scene:
    """Generates scene number `index` of the collection `seed`.

    The result depends on the three arguments alone: not on which scenes were
    generated before, nor on the process.

    Args:
        seed: names the collection, at least 0.
        index: names the scene in it, at least 0.
        config: what the scene looks like; `SceneConfig()` if None.

    Returns:
        The scene with its stems and labels.
    """
    config = config or SceneConfig()
    rng = np.random.Generator(
        np.random.PCG64(np.random.SeedSequence([seed, index]))
    )
    rate_hz, num_samples = config.sample_rate_hz, config.num_samples

    scene_type = tuple(SCENE_TYPES)[rng.integers(len(SCENE_TYPES))]
    own_classes, own_kinds = SCENE_TYPES[scene_type]
    count = int(rng.integers(config.min_events, config.max_events + 1))
    classes = _draw_classes(rng, own_classes, count)
    kind = _draw_background(rng, own_kinds)

    stems = np.zeros((count + 1, num_samples), np.float32)
    for stem, name in zip(stems, classes, strict=False):
        level_db = rng.uniform(config.min_level_db, config.max_level_db)
        active_s = rng.uniform(0.6, 1.0) * config.seconds
        begin_s = rng.uniform(0.0, config.seconds - active_s)
        _add_instances(
            stem,
            functools.partial(synthesize_event, name),
            rng,
            rate_hz,
            level_db,
            (begin_s, begin_s + active_s),
            _PAUSE_S,
        )
    _add_instances(
        stems[-1],
        functools.partial(synthesize_background, kind),
        rng,
        rate_hz,
        0.0,
        (0.0, config.seconds),
        (0.0, 0.0),
    )

    # The margin covers the rounding of the float32 sum.
    stems *= (1.0 - 1e-5) * _PEAK / np.abs(stems.sum(axis=0)).max()
    return Scene(
        audio=stems.sum(axis=0),
        stems=stems,
        stem_names=(*classes, f"background:{kind}"),
        labels=tuple(sorted(set(classes))),
    )
