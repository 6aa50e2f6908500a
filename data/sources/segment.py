"""A segment of a video, and where it is in a sound file."""

import dataclasses

from data.audio import sound_file
from data.audio.sound_file import AudioRejected

_TOLERANCE_S = 0.5
"""Codecs pad, and cuts and lengths of videos are not exact (our choice)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a video.

    Attributes:
      start_s, end_s: in the video.
      may_be_cut_out: whether the sound file may hold the segment alone.
    """

    start_s: float
    end_s: float
    may_be_cut_out: bool

    def place(
        self, file_seconds: float, min_seconds: float
    ) -> tuple[float, float]:
        """Start and end in a sound file, s.

        A file that is no longer than the segment is taken for the segment,
        one that reaches the segment's end for the whole video, both to 0.5 s.

        Raises:
          AudioRejected: it is neither, or the segment is too short.
        """
        seconds = self.end_s - self.start_s
        if self.may_be_cut_out and file_seconds <= seconds + _TOLERANCE_S:
            start_s, end_s = 0.0, min(seconds, file_seconds)
        elif file_seconds >= self.end_s - _TOLERANCE_S:
            start_s, end_s = self.start_s, min(self.end_s, file_seconds)
        else:
            raise AudioRejected(
                "wrong_length",
                f"with {file_seconds:.2f} s it is neither the segment from "
                f"{self.start_s:g} to {self.end_s:g} s nor a video that "
                "reaches its end: fetch it again, or put the start into the "
                "file's name",
            )
        sound_file.check_length(end_s - start_s, min_seconds)
        return start_s, end_s
