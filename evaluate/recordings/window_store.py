"""The windows of many recordings, held ready for search."""

import dataclasses
import pathlib
from typing import TypedDict

import numpy as np

from data.run import json_file
from data.run.errors import UserError
from data.run.json_file import Count, Digest, PathName, PlainName
from evaluate.recordings.window_file import WindowFile

INDEX_FILE = "recordings.json"


class IndexedRecording(TypedDict):
    """A recording of the index."""

    name: str
    windows: Count
    file: PlainName
    sha256: Digest


class Index(TypedDict):
    """What `recordings.json` holds."""

    encoder: PathName
    encoder_identity: Digest
    embedding_dim: Count
    sample_rate_hz: Count
    window_samples: Count
    hop_samples: Count
    recordings: list[IndexedRecording]


@dataclasses.dataclass(frozen=True, eq=False)
class WindowStore:
    """What `embed.py --input` wrote, read.

    Attributes:
      index: of it.
      recording: (windows,) int64, the recording of each, in the index.
      start_s, end_s: (windows,) float64, in the recording.
      vectors: (windows, d) float32.
    """

    index: Index
    recording: np.ndarray
    start_s: np.ndarray
    end_s: np.ndarray
    vectors: np.ndarray

    @classmethod
    def load(cls, folder: str | pathlib.Path) -> "WindowStore":
        """Reads all recordings.

        Raises:
          UserError: the folder is no such output, or a file of it is missing
            or damaged.
        """
        index = read_index(folder)
        recordings = index["recordings"]
        # One that several share is read once.
        files = {
            name: WindowFile.load(pathlib.Path(folder) / name)
            for name in {recording["file"] for recording in recordings}
        }
        found = [files[recording["file"]] for recording in recordings]
        return cls(
            index,
            np.repeat(np.arange(len(found)), [len(f.vectors) for f in found]),
            np.concatenate([file.start_s for file in found]),
            np.concatenate([file.end_s for file in found]),
            np.concatenate([file.vectors for file in found]),
        )


def is_store(folder: str | pathlib.Path) -> bool:
    return (pathlib.Path(folder) / INDEX_FILE).is_file()


def read_index(folder: str | pathlib.Path) -> Index:
    """Raises `UserError` where the folder has none."""
    if not is_store(folder):
        raise UserError(
            f"{folder} has no {INDEX_FILE}: name an output of "
            "evaluate/embed.py --input"
        )
    return json_file.read(
        pathlib.Path(folder) / INDEX_FILE, Index, "run embed.py again"
    )
