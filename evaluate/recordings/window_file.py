"""Embeddings of the windows of one recording, in memory and on disk."""

import dataclasses
import os

import numpy as np

from evaluate.embeddings import array_file
from models.embedding_model import EmbeddingModel

# Raised when windows are cut or encoded in another way: older files are then
# made anew.
VERSION = 1


@dataclasses.dataclass(frozen=True, eq=False)
class WindowFile:
    """What a recording becomes.

    Attributes:
      sample_rate_hz: of the encoder; places are counted in it.
      num_samples: of the recording.
      window_samples: of a window.
      starts: (windows,) int64, ascending.
      vectors: (windows, d) float32.
    """

    sample_rate_hz: int
    num_samples: int
    window_samples: int
    starts: np.ndarray
    vectors: np.ndarray

    def __post_init__(self):
        if self.vectors.ndim != 2 or self.starts.shape != (len(self.vectors),):
            raise ValueError("starts and vectors do not go together")

    @property
    def start_s(self) -> np.ndarray:
        """(windows,) float64, seconds from the start of the recording."""
        return self.starts / self.sample_rate_hz

    @property
    def end_s(self) -> np.ndarray:
        """Likewise; no window ends after the recording."""
        ends = np.minimum(self.starts + self.window_samples, self.num_samples)
        return ends / self.sample_rate_hz

    @property
    def seconds(self) -> float:
        return self.num_samples / self.sample_rate_hz

    def mean(self) -> np.ndarray:
        """(d,) float32, over the windows."""
        return self.vectors.mean(axis=0, dtype=np.float64).astype(np.float32)

    @classmethod
    def empty(cls, model: EmbeddingModel) -> "WindowFile":
        """Of what cannot be used."""
        return cls(
            model.sample_rate_hz,
            0,
            model.window_samples,
            np.zeros(0, np.int64),
            np.zeros((0, model.embedding_dim), np.float32),
        )

    def save(self, path: str | os.PathLike) -> None:
        """Writes an uncompressed .npz; equal files have equal bytes."""
        np.savez(path, version=VERSION, **vars(self))

    @classmethod
    def load(cls, path: str | os.PathLike) -> "WindowFile":
        """Reads what `save` wrote.

        Raises:
          UserError: the file is missing, damaged, or of another version.
        """
        problem = "is damaged: delete it and run again, the others are kept"
        with array_file.arrays_of(path, problem) as arrays:
            if arrays["version"] != VERSION:
                raise ValueError(f"version {arrays['version']}")
            names = [field.name for field in dataclasses.fields(cls)]
            values = [arrays[name] for name in names]
            return cls(*(v if v.ndim else v.item() for v in values))
