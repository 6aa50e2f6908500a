"""What retrieval's figures owe to each clip, kept for --compare."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from data.run.atomic_write import atomic_path
from evaluate.embeddings import array_file
from evaluate.uncertainty.influence import Influence

INFLUENCES_FILE = "influences.npz"


@dataclasses.dataclass(frozen=True, eq=False)
class ClipInfluences:
    """The figures of one row.

    Attributes:
      clip_ids: (n,).
      recordings: (n,), names.
      facts: digest of labels and of how clips were drawn.
      figures: by name, each of the n clips.
    """

    clip_ids: np.ndarray
    recordings: np.ndarray
    facts: str
    figures: dict[str, Influence]


def save(folder: pathlib.Path, rows: Sequence[ClipInfluences]) -> None:
    """Writes the rows of a run, which are of the same clips."""
    arrays = {
        "clip_ids": rows[0].clip_ids,
        "recordings": rows[0].recordings,
        "facts": np.array(rows[0].facts),
        "figures": np.array([*rows[0].figures], np.str_),
    }
    for number, row in enumerate(rows):
        for name, (value, *of_clips) in row.figures.items():
            arrays[f"{name}_{number}"] = np.stack(
                [np.full(len(row.clip_ids), value), *of_clips]
            )
    with atomic_path(folder / INFLUENCES_FILE) as path:
        np.savez_compressed(path, **arrays)


def load(folder: str, row: int) -> ClipInfluences:
    """Reads a row of what `save` wrote.

    Raises:
      UserError: the file is missing or damaged.
    """
    file = pathlib.Path(folder, INFLUENCES_FILE)
    problem = "is missing or damaged: run evaluate/retrieval.py again"
    with array_file.arrays_of(file, problem) as arrays:
        figures = {}
        for name in arrays["figures"].tolist():
            values, *of_clips = arrays[f"{name}_{row}"]
            figures[name] = Influence(float(values[0]), *of_clips)
        return ClipInfluences(
            arrays["clip_ids"],
            arrays["recordings"],
            str(arrays["facts"]),
            figures,
        )
