"""The sound files of a folder."""

import collections
import dataclasses
import os
import stat

from data import tfrecord_input
from data.csv_table import printable
from data.segment import Segment
from data.user_error import UserError

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


@dataclasses.dataclass(frozen=True, slots=True)
class Recording:
    """A sound file.

    Attributes:
      path: relative to the folder, with "/"; undecodable bytes as surrogates.
      num_bytes, modified_ns: size and time, so that a changed file is seen.
      labels: class names, ascending; empty: unlabeled.
      split: "" when none is given, to be drawn.
      segment: the part that the labels are of; None: all of it.
    """

    path: str
    num_bytes: int
    modified_ns: int
    labels: tuple[str, ...] = ()
    split: str = ""
    segment: Segment | None = None

    @property
    def name(self) -> str:
        """The path, printable."""
        return printable(self.path)


def find_recordings(folder: str) -> tuple[list[Recording], int]:
    """Finds the sound files of a folder, at any depth.

    Names that start with "." are passed over: they are what systems write.
    Links are followed.

    Returns:
      The recordings, ascending by path, and the number of other files.

    Raises:
      UserError: the folder is missing, unreadable, without audio, or one of
        TFRecord files.
    """
    if not os.path.isdir(folder):
        raise UserError(
            f"--input={folder} "
            + (
                "is not a folder"
                if os.path.exists(folder)
                else "does not exist"
            )
            + ": name the folder of recordings"
        )
    found, others, visited = [], collections.Counter(), set()
    tfrecord = ""
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        here = os.path.join(folder, inside)
        try:
            status = os.stat(here)
            entries = os.listdir(here)
        except OSError as error:
            raise UserError(
                f"folder {printable(here)} cannot be read ({error.strerror})"
            ) from error
        if (status.st_dev, status.st_ino) in visited:
            continue  # A link back, or to a folder seen before.
        visited.add((status.st_dev, status.st_ino))
        # In a fixed order, so that of two links the same one counts.
        for name in sorted(entries, key=os.fsencode, reverse=True):
            if name.startswith("."):
                continue
            path = f"{inside}/{name}" if inside else name
            suffix = os.path.splitext(name)[1].lower()
            try:
                status = os.stat(os.path.join(folder, path))
            except OSError:  # A broken link: decoding gives the reason.
                status = None
            if status and stat.S_ISDIR(status.st_mode):
                waiting.append(path)
            elif suffix not in AUDIO_SUFFIXES:
                others[suffix or "no suffix"] += 1
                if suffix == tfrecord_input.SUFFIX:
                    tfrecord = os.path.join(folder, path)
            elif status:
                found.append(
                    Recording(path, status.st_size, status.st_mtime_ns)
                )
            else:
                found.append(Recording(path, 0, 0))
    # A folder of shards can hold a sound file too, to search them with.
    if tfrecord and others[tfrecord_input.SUFFIX] >= len(found):
        tfrecord_input.check(folder, tfrecord)
    if not found:
        what = ", ".join(
            f"{count} {printable(suffix)}"
            for suffix, count in others.most_common(5)
        )
        raise UserError(
            f"--input={folder} has no {', '.join(AUDIO_SUFFIXES)} file at any "
            f"depth (found: {what or 'nothing'})"
        )
    found.sort(key=lambda recording: os.fsencode(recording.path))
    return found, others.total()
