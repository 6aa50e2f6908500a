"""What classifiers said of clips, kept beside the figures: scores.npz."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from data.run.atomic_write import atomic_path
from evaluate.embeddings import array_file

SCORES_FILE = "scores.npz"


@dataclasses.dataclass(frozen=True, eq=False)
class ScoredClips:
    """The clips that a probe measured, and their scores.

    Attributes:
      clip_ids: (n,).
      recordings: (n,), names; clips of one recording count as one.
      folds: (n,), number of the part of the figure that a clip belongs to.
      labels: (n, C) uint8, multi-hot.
      class_names: (C,).
      scores: of each row of the results (seeds, n, C) float32.
    """

    clip_ids: np.ndarray
    recordings: np.ndarray
    folds: np.ndarray
    labels: np.ndarray
    class_names: np.ndarray
    scores: Sequence[np.ndarray]

    def save(self, folder: pathlib.Path) -> None:
        """Writes the arrays, the scores as `scores_0`, `scores_1` and so on."""
        arrays = {
            name: getattr(self, name)
            for name in (
                "clip_ids",
                "recordings",
                "folds",
                "labels",
                "class_names",
            )
        }
        arrays |= {
            f"scores_{k}": of_row for k, of_row in enumerate(self.scores)
        }
        with atomic_path(folder / SCORES_FILE) as path:
            np.savez(path, **arrays)

    @classmethod
    def load(cls, folder: str, rows: Sequence[int]) -> "ScoredClips":
        """Reads what `save` wrote, with the scores of some rows.

        Raises:
          UserError: the file is missing or damaged.
        """
        file = pathlib.Path(folder, SCORES_FILE)
        names = [field.name for field in dataclasses.fields(cls)][:-1]
        problem = "is missing or damaged: run evaluate/probe.py again"
        with array_file.arrays_of(file, problem) as arrays:
            return cls(
                *(arrays[name] for name in names),
                [arrays[f"scores_{row}"] for row in rows],
            )

    def parts(self) -> list[np.ndarray]:
        """The clips of each fold."""
        return [np.flatnonzero(self.folds == f) for f in np.unique(self.folds)]
