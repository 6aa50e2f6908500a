"""Sounds of a page: a spectrogram and, where it has room, a player."""

import base64
import dataclasses

import numpy as np

from data.audio import encoding
from data.page import spectrogram_image
from data.shards.stored_clip import StoredClip

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
    """A mixture, and under headings what was made of it."""

    name: str
    labels: tuple[str, ...]
    mixture: Sound
    groups: dict[str, list[Sound]]


class SoundBundle:
    """Collects sounds as base64 FLAC until they fill `max_bytes`.

    Sounds are taken in the order in which they come, so the important ones
    come first.

    Args:
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

    def sound(
        self,
        key: str,
        title: str,
        of: str,
        audio: np.ndarray,
        frames: int,
        high: float | None = None,
    ) -> Sound:
        """A picture of (T,) audio, which goes under `key`.

        Args:
          title: what is written beside the picture.
          of: what is written instead of it, after "spectrogram of".
          audio: float, full scale 1.
          frames: most of them in the picture.
          high: as of `png_uri`.
        """
        mel = spectrogram_image.log_mel(audio, self.sample_rate_hz, frames)
        return Sound(
            title,
            f"Log-mel spectrogram of {of}",
            spectrogram_image.png_uri(mel, high),
            len(audio) / self.sample_rate_hz,
            self.add(key, audio),
        )


def make_example(clip: StoredClip, key: str, bundle: SoundBundle) -> Example:
    """A clip with its channels and stems, all on one color scale."""
    mel = spectrogram_image.log_mel(
        clip.mixture, bundle.sample_rate_hz, _WIDE_FRAMES
    )
    high = float(mel.max())

    def sound(key: str, title: str, audio: np.ndarray) -> Sound:
        of = f"{title} of {clip.clip_id}"
        return bundle.sound(key, title, of, audio, _WIDE_FRAMES, high)

    mixture = sound(key, "mixture", clip.mixture)
    groups = {
        f"Channels of {name}": [
            sound(f"{key}/{name}/{number}", f"{name}, channel {number}", audio)
            for number, audio in enumerate(channels, 1)
        ]
        for name, channels in clip.channels.items()
    }
    if clip.stems:
        groups["True sources"] = [
            sound(f"{key}/stem/{number}", title, audio)
            for number, (title, audio) in enumerate(clip.stems, 1)
        ]
    return Example(clip.clip_id, clip.labels, mixture, groups)
