"""The audio inside a report, each sound once and within a size."""

import base64

import numpy as np

from data import audio_encoding


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
        flac = audio_encoding.encode(
            audio, audio_encoding.FLAC, self.sample_rate_hz
        )
        text = base64.b64encode(flac).decode("ascii")
        if self.num_bytes + len(text) > self.max_bytes:
            return None
        self.num_bytes += len(text)
        self.encoded[key] = text
        return key
