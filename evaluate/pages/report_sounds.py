"""The sounds that a report chooses from the shards."""

from collections.abc import Sequence

import numpy as np

from data.page.sound import (
    Example,
    Sound,
    SoundBundle,
    make_example,
    make_sound,
)
from evaluate.pages.report_clips import ReportClips

_SMALL_FRAMES = 180


def choose_examples(
    labels: Sequence[tuple[str, ...]], count: int, seed: int
) -> list[int]:
    """Draws `count` clips; those with two labels or more come first."""
    order = np.random.default_rng(seed).permutation(len(labels)).tolist()
    mixed = [i for i in order if len(labels[i]) > 1]
    return (mixed + [i for i in order if len(labels[i]) <= 1])[:count]


def make_examples(
    clips: ReportClips, positions: Sequence[int], bundle: SoundBundle
) -> list[Example]:
    """Mixtures with their channels and stems, each on one color scale."""
    return [
        make_example(clip, clip_key(position), bundle)
        for position, clip in clips.read(sorted(positions), parts=True)
    ]


def make_small_sounds(
    clips: ReportClips, positions: Sequence[int], bundle: SoundBundle
) -> dict[int, Sound]:
    """Small spectrograms of whole clips, each on its own color scale."""
    return {
        position: make_sound(
            clip.clip_id,
            f"Log-mel spectrogram of {clip.clip_id}",
            clip.mixture,
            clip_key(position),
            bundle,
            _SMALL_FRAMES,
        )
        for position, clip in clips.read(positions)
    }


def add_until_full(
    clips: ReportClips, positions: Sequence[int], bundle: SoundBundle
) -> None:
    """Puts the audio of clips into the bundle, in the order of `positions`."""
    missing = [p for p in positions if clip_key(p) not in bundle.encoded]
    for position, clip in clips.read(missing):
        if bundle.add(clip_key(position), clip.mixture) is None:
            return


def clip_key(position: int) -> str:
    return f"clip{position}"
