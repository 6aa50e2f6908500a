"""Sounds of a page: a spectrogram and, where it has room, a player."""

import base64
import dataclasses

import numpy as np

from data.audio import encoding
from data.page import spectrogram_image
from data.shards.stored_clip import StoredClip


class SoundBundle:
    """Collects sounds as base64 FLAC until they fill `max_bytes`.

    Sounds are taken in the order in which they come, so the important ones
    come first.

    Args:
      sample_rate_hz: of every sound.
      max_bytes: of the base64 text altogether.
    """

    def __init__(self, sample_rate_hz: int, max_bytes: int):
        self.sample_rate_hz = sample_rate_hz
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self.encoded: dict[str, str] = {}

    def add(self, key: str, audio: np.ndarray) -> str | None:
        """Puts (T,) audio under `key`.

        Returns:
          `key`, also when it is there already; None when there is no room.
        """
        if key in self.encoded:
            return key
        flac = encoding.encode(audio, encoding.FLAC, self.sample_rate_hz)
        text = base64.b64encode(flac).decode("ascii")
        if self.num_bytes + len(text) > self.max_bytes:
            return None
        self.num_bytes += len(text)
        self.encoded[key] = text
        return key


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
