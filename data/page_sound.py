"""Sounds of a page: a spectrogram and, where it has room, a player."""

import dataclasses

import numpy as np

from data import spectrogram_image
from data.sound_bundle import SoundBundle
from data.stored_clip import StoredClip

_WIDE_FRAMES = 560


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

    name: str
    labels: tuple[str, ...]
    mixture: Sound
    groups: tuple[tuple[str, tuple[Sound, ...]], ...]


def make_sound(
    title: str,
    alt: str,
    audio: np.ndarray,
    key: str,
    bundle: SoundBundle,
    frames: int,
    high: float | None = None,
) -> Sound:
    """A picture of (T,) audio, which goes into `bundle` under `key`.

    Args:
      title, alt: what is written beside and instead of the picture.
      audio: float, full scale 1.
      key: of the audio in the bundle.
      bundle: the audio of the page.
      frames: most of them in the picture.
      high: value of the lightest color; None: the largest.
    """
    rate_hz = bundle.sample_rate_hz
    mel = spectrogram_image.log_mel(audio, rate_hz, frames)
    return Sound(
        title,
        alt,
        spectrogram_image.png_uri(
            mel, float(mel.max()) if high is None else high
        ),
        len(audio) / rate_hz,
        bundle.add(key, audio),
    )


def make_example(clip: StoredClip, key: str, bundle: SoundBundle) -> Example:
    """A clip with its channels and stems, all on one color scale."""
    name = clip.clip_id
    mel = spectrogram_image.log_mel(
        clip.mixture, bundle.sample_rate_hz, _WIDE_FRAMES
    )
    high = float(mel.max())

    def sound(title: str, key: str, audio: np.ndarray) -> Sound:
        alt = f"Log-mel spectrogram of {title} of {name}"
        return make_sound(title, alt, audio, key, bundle, _WIDE_FRAMES, high)

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
    return Example(name, clip.labels, mixture, tuple(groups))
