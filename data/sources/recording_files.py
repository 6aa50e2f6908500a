"""The sound files of a folder, and the segment of each that is wanted."""

import dataclasses
import os
from collections.abc import Container, Iterable

from data.audio import sound_file
from data.audio.audio_header import AudioHeader, AudioRejected
from data.run.csv_table import printable
from data.run.errors import UserError
from data.shards.dataset_info import DATASET_FILE

# What files are is told by what is in them. Suffixes only tell what somebody
# took for sound: it is bad input where it is none, and goes before others of
# the same name.
SOUND_SUFFIXES = frozenset(
    ".3gp .aac .ac3 .aif .aifc .aiff .amr .ape .asf .au .avi .caf .eac3 .flac"
    " .flv .m4a .m4b .mka .mkv .mov .mp2 .mp3 .mp4 .mpg .oga .ogg .opus .snd"
    " .tta .voc .w64 .wav .wave .webm .wma .wv".split()
)
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
    """A sound file, or what may be one.

    Attributes:
      path: relative to the folder, with "/"; undecodable bytes as surrogates.
      labels: class names, ascending; empty: unlabeled.
      split: "" when none is given, to be drawn.
      segment: the part that the labels are of; None: all of it.
      is_named: whether a table names it.
      digest: SHA-256 of the file, hexadecimal; "" before it is scanned.
      header: likewise; None before.
    """

    path: str
    labels: tuple[str, ...] = ()
    split: str = ""
    segment: Segment | None = None
    is_named: bool = dataclasses.field(default=False, repr=False)
    digest: str = ""
    # Follows from the content.
    header: AudioHeader | None = dataclasses.field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The path, printable."""
        return printable(self.path)

    @property
    def is_like_sound(self) -> bool:
        """Whether its name is that of a sound file."""
        return suffix_of(self.path) in SOUND_SUFFIXES


def find_recordings(folder: str) -> list[Recording]:
    """Finds the files of a folder, at any depth, that may be recordings.

    Names that start with "." are passed over: they are what systems write.
    Links are followed. No file is opened.

    Returns:
      All of them, ascending by path.

    Raises:
      UserError: the folder is missing, unreadable, without files, or one of
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

    found, visited = [], set()
    tfrecords = []
    root = os.path.join(folder, "")
    for here, folders, files in os.walk(root, onerror=refuse, followlinks=True):
        status = os.stat(here)
        if (status.st_dev, status.st_ino) in visited:
            folders.clear()  # A link back, or to a folder seen before.
            continue
        visited.add((status.st_dev, status.st_ino))
        # In a fixed order, so that of two links the same one counts.
        folders[:] = sorted(filter(_is_visible, folders), key=os.fsencode)
        for name in sorted(filter(_is_visible, files), key=os.fsencode):
            file = os.path.join(here, name)
            if suffix_of(name) == _TFRECORD_SUFFIX:
                tfrecords.append(file)
            found.append(Recording(file.removeprefix(root)))
    # A folder of shards can hold a sound file too, to search them with.
    num_sounds = sum(recording.is_like_sound for recording in found)
    if tfrecords and len(tfrecords) >= num_sounds:
        _refuse_tfrecord(folder, tfrecords[0])
    if not found:
        raise UserError(f"--input={folder} has no file at any depth")
    return sorted(found, key=lambda recording: os.fsencode(recording.path))


def suffix_of(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def not_asked_for(
    found: Iterable[Recording], used: Container[str]
) -> tuple[int, tuple[str, ...]]:
    """Of files whose paths are not used: how many sounds, and the others."""
    unused = [recording for recording in found if recording.path not in used]
    others = [r.name for r in unused if not r.is_like_sound]
    return len(unused) - len(others), tuple(others)


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
