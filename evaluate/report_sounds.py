"""Sounds of the report: a spectrogram and, where it has room, a player."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from data.dataset_info import DatasetInfo
from evaluate import report_clips, spectrogram_image
from evaluate.report_clips import ClipText
from evaluate.sound_bundle import SoundBundle

_WIDE_FRAMES, _SMALL_FRAMES = 560, 180
# Clips read at once while the map's sounds are collected.
_BLOCK_CLIPS = 64


@dataclasses.dataclass(frozen=True)
class Sound:
    """One spectrogram; `key` names its audio in the page, None without."""

    title: str
    alt: str
    image: str
    seconds: float
    key: str | None


@dataclasses.dataclass(frozen=True)
class Example:
    """A mixture and what was made of it: (heading, sounds) each."""

    text: ClipText
    mixture: Sound
    groups: tuple[tuple[str, tuple[Sound, ...]], ...]


def choose_examples(
    labels: Sequence[tuple[str, ...]], count: int, seed: int
) -> list[int]:
    """Draws `count` clips; those with two labels or more come first."""
    order = np.random.default_rng(seed).permutation(len(labels)).tolist()
    mixed = [i for i in order if len(labels[i]) > 1]
    return (mixed + [i for i in order if len(labels[i]) <= 1])[:count]


def make_examples(
    info: DatasetInfo,
    splits: Sequence[str],
    texts: Sequence[ClipText],
    positions: Sequence[int],
    bundle: SoundBundle,
) -> list[Example]:
    """Mixtures with their channels and stems, all on one color scale."""
    rate = info.sample_rate_hz
    examples = []
    for position, clip in report_clips.read_sounds(
        info, splits, positions, parts=True
    ):
        name = texts[position].clip_id
        mel = spectrogram_image.log_mel(clip.mixture, rate, _WIDE_FRAMES)
        high = float(mel.max())

        def sound(title, key, audio, high=high, name=name):
            mel = spectrogram_image.log_mel(audio, rate, _WIDE_FRAMES)
            return Sound(
                title,
                f"Log-mel spectrogram of {title} of {name}",
                spectrogram_image.png_uri(mel, high),
                len(audio) / rate,
                bundle.add(key, audio),
            )

        key = clip_key(position)
        mixture = sound("mixture", key, clip.mixture)
        groups = [
            (
                f"Channels of {processor}",
                tuple(
                    sound(
                        f"{processor}, channel {number}",
                        f"{key}/{processor}/{number}",
                        audio,
                    )
                    for number, audio in enumerate(channels, 1)
                ),
            )
            for processor, channels in clip.channels.items()
        ]
        stems = tuple(
            sound(stem, f"{key}/stem/{number}", audio)
            for number, (stem, audio) in enumerate(clip.stems, 1)
        )
        if stems:
            groups.append(("True sources", stems))
        examples.append(Example(texts[position], mixture, tuple(groups)))
    return examples


def make_small_sounds(
    info: DatasetInfo,
    splits: Sequence[str],
    texts: Sequence[ClipText],
    positions: Sequence[int],
    bundle: SoundBundle,
) -> dict[int, Sound]:
    """Small spectrograms of whole clips, each on its own color scale."""
    sounds = {}
    for position, clip in report_clips.read_sounds(
        info, splits, set(positions)
    ):
        name = texts[position].clip_id
        mel = spectrogram_image.log_mel(
            clip.mixture, info.sample_rate_hz, _SMALL_FRAMES
        )
        sounds[position] = Sound(
            name,
            f"Log-mel spectrogram of {name}",
            spectrogram_image.png_uri(mel, float(mel.max())),
            texts[position].seconds,
            bundle.add(clip_key(position), clip.mixture),
        )
    return sounds


def add_until_full(
    info: DatasetInfo,
    splits: Sequence[str],
    positions: Sequence[int],
    bundle: SoundBundle,
) -> None:
    """Puts the audio of clips into the bundle, in blocks of `positions`."""
    missing = [p for p in positions if clip_key(p) not in bundle.encoded]
    for start in range(0, len(missing), _BLOCK_CLIPS):
        block = set(missing[start : start + _BLOCK_CLIPS])
        for position, clip in report_clips.read_sounds(info, splits, block):
            if bundle.add(clip_key(position), clip.mixture) is None:
                return


def clip_key(position: int) -> str:
    return f"clip{position}"
