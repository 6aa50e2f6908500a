"""The sound files of a folder, and the segment of each that is wanted."""

import collections
import dataclasses
import os

from data.audio import sound_file
from data.audio.sound_file import AudioRejected
from data.run.csv_table import printable
from data.run.errors import UserError
from data.shards.dataset_info import DATASET_FILE

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
_TFRECORD_SUFFIX = ".tfrecord"
# Keys of AudioSet's published SequenceExamples.
_EMBEDDING_KEYS = (b"video_id", b"audio_embedding")
# Codecs pad, and cuts and lengths of videos are not exact (our choice).
_TOLERANCE_S = 0.5


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
        exists = os.path.exists(folder)
        what = "is not a folder" if exists else "does not exist"
        raise UserError(
            f"--input={folder} {what}: name the folder of recordings"
        )

    def refuse(error: OSError) -> None:
        raise UserError(
            f"folder {printable(error.filename)} cannot be read "
            f"({error.strerror})"
        ) from error

    found, others, visited = [], collections.Counter(), set()
    tfrecord = ""
    root = os.path.join(folder, "")
    for here, folders, files in os.walk(root, onerror=refuse, followlinks=True):
        status = os.stat(here)
        if (status.st_dev, status.st_ino) in visited:
            folders.clear()  # A link back, or to a folder seen before.
            continue
        visited.add((status.st_dev, status.st_ino))
        # In a fixed order, so that of two links the same one counts.
        folders[:] = sorted(filter(_is_visible, folders), key=os.fsencode)
        files = sorted(filter(_is_visible, files), key=os.fsencode)
        for name in reversed(files):
            file = os.path.join(here, name)
            suffix = os.path.splitext(name)[1].lower()
            if suffix not in AUDIO_SUFFIXES:
                others[suffix or "no suffix"] += 1
                if suffix == _TFRECORD_SUFFIX:
                    tfrecord = file
                continue
            num_bytes = modified_ns = 0
            if os.path.exists(file):  # A broken link is told by decoding it.
                status = os.stat(file)
                num_bytes, modified_ns = status.st_size, status.st_mtime_ns
            path = file.removeprefix(root)
            found.append(Recording(path, num_bytes, modified_ns))
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


def _is_visible(name: str) -> bool:
    return not name.startswith(".")


def _refuse_tfrecord(folder: str, file: str) -> None:
    """Raises `UserError` where a file is one of our shards, or AudioSet's."""
    if os.path.exists(os.path.join(os.path.dirname(file), DATASET_FILE)):
        raise UserError(
            f"--input={folder} holds shards, as this program writes them "
            f"({file}): name the folder of recordings, or give this one to "
            "the later stages as --shards"
        )
    try:
        with open(file, "rb") as stream:
            head = stream.read(1 << 16)
    except OSError:
        return  # Told as a file of another type.
    if all(key in head for key in _EMBEDDING_KEYS):
        raise UserError(
            f"--input={folder} holds AudioSet's published embeddings "
            f"({file}): 128 numbers a second from another network, and no "
            "audio to separate; name a folder with the sound of the videos"
        )
