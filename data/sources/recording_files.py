"""The sound files of a folder."""

import collections
import dataclasses
import os
import stat

from data.run.csv_table import printable
from data.run.errors import UserError
from data.shards.dataset_info import DATASET_FILE
from data.sources.segment import Segment

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
_TFRECORD_SUFFIX = ".tfrecord"
_HEAD_BYTES = 1 << 16
# Keys of AudioSet's published SequenceExamples.
_EMBEDDING_KEYS = (b"video_id", b"audio_embedding")


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
                if suffix == _TFRECORD_SUFFIX:
                    tfrecord = os.path.join(folder, path)
            elif status:
                found.append(
                    Recording(path, status.st_size, status.st_mtime_ns)
                )
            else:
                found.append(Recording(path, 0, 0))
    # A folder of shards can hold a sound file too, to search them with.
    if tfrecord and others[_TFRECORD_SUFFIX] >= len(found):
        _refuse_tfrecord(folder, tfrecord)
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


def _refuse_tfrecord(folder: str, file: str) -> None:
    """Raises `UserError` where one of our shards or AudioSet's records.

    Args:
      folder: the --input.
      file: a TFRecord file in it.
    """
    if os.path.exists(os.path.join(os.path.dirname(file), DATASET_FILE)):
        raise UserError(
            f"--input={folder} holds shards, as this program writes them "
            f"({file}): name the folder of recordings, or give this one to "
            "the later stages as --shards"
        )
    try:
        with open(file, "rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError:
        return  # Told as a file of another type.
    if all(key in head for key in _EMBEDDING_KEYS):
        raise UserError(
            f"--input={folder} holds AudioSet's published embeddings "
            f"({file}): 128 numbers a second from another network, and no "
            "audio to separate; name a folder with the sound of the videos"
        )
