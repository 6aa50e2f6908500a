"""What is known of a sound file, and why one is refused."""

import dataclasses

from data.run.rejects import Rejected


class AudioRejected(Rejected):
    """A recording or clip that cannot be used."""


@dataclasses.dataclass(frozen=True, slots=True)
class AudioHeader:
    """A sound file, as measured.

    Attributes:
      num_frames: that are there.
      sample_rate_hz, num_channels: of its first sound.
      promised_frames: what its container says, where less is there.
      full_scale: what a sample of 1 is stored as; not 1 for floats on the
        scale of integers.
      by_file_length: whether the header does not know the length.
      can_seek: whether its times tell samples, so that a piece is found
        without decoding what comes before.
      by_libsndfile: whether libsndfile reads all of it; else FFmpeg does.
    """

    num_frames: int
    sample_rate_hz: int
    num_channels: int
    promised_frames: int | None = None
    full_scale: float = 1.0
    by_file_length: bool = False
    can_seek: bool = True
    by_libsndfile: bool = True

    @property
    def seconds(self) -> float:
        return self.num_frames / self.sample_rate_hz

    @property
    def cut_short(self) -> str:
        """Both lengths, where less is there than was promised; else ""."""
        if self.promised_frames is None:
            return ""
        promised_s = self.promised_frames / self.sample_rate_hz
        return (
            f"{self.seconds:.2f} s are there of the {promised_s:.2f} s that "
            "its header promises: they are used; copy it again for the rest"
        )
