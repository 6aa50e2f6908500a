"""Embeddings of clips, with their ids and labels, in memory and on disk."""

import contextlib
import dataclasses
import functools
import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from evaluate.embeddings import array_file

# Raised when windows are cut or encoded in another way: older files are then
# not read any more.
VERSION = 3


@dataclasses.dataclass(frozen=True, eq=False)
class ClipStore:
    """The embeddings of some clips, without those of their windows.

    Attributes:
      clips: (clips, d) float32.
      clip_ids: one for each clip.
      labels: (clips, C) uint8, multi-hot.
      class_names: C names.
    """

    clips: np.ndarray
    clip_ids: tuple[str, ...]
    labels: np.ndarray
    class_names: tuple[str, ...]

    def __post_init__(self):
        clips = len(self.clip_ids)
        if (
            self.clips.shape[:1] != (clips,)
            or self.clips.ndim != 2
            or self.labels.shape != (clips, len(self.class_names))
        ):
            raise ValueError("clips and labels do not go together")

    @classmethod
    def load(cls, path: str | os.PathLike) -> "ClipStore":
        """Reads these parts of what `EmbeddingStore.save` wrote.

        Raises:
          UserError: as `EmbeddingStore.load`.
        """
        with _arrays(path) as arrays:
            return cls(arrays["clips"], *_of_clips(arrays))

    @classmethod
    def concatenate(cls, stores: Sequence["ClipStore"]) -> "ClipStore":
        """The clips of several stores of one data set, in that order."""
        return cls(
            np.concatenate([store.clips for store in stores]),
            *_joined(stores),
        )


@dataclasses.dataclass(frozen=True, eq=False)
class EmbeddingStore:
    """The embeddings of some clips.

    Attributes:
      windows: (n, d) float32, those of a clip one after the other.
      window_clip: (n,) int64, the clip of each window; ascending, and every
        clip has at least one.
      clip_ids: one for each clip.
      labels: (clips, C) uint8, multi-hot.
      class_names: C names.
    """

    windows: np.ndarray
    window_clip: np.ndarray
    clip_ids: tuple[str, ...]
    labels: np.ndarray
    class_names: tuple[str, ...]

    def __post_init__(self):
        clips = len(self.clip_ids)
        steps = np.diff(self.window_clip, prepend=-1, append=clips)
        if (
            self.windows.ndim != 2
            or self.window_clip.shape != (len(self.windows),)
            or self.labels.shape != (clips, len(self.class_names))
            or not steps[0] == steps.max() == steps[-1] == 1
            or steps.min() < 0
        ):
            raise ValueError("windows, clips and labels do not go together")

    @functools.cached_property
    def clips(self) -> np.ndarray:
        """Clip embeddings (clips, d) float32: means over their windows."""
        return self.mean_over_windows(self.windows)

    def mean_over_windows(self, values: np.ndarray) -> np.ndarray:
        """(n, k) per window -> (clips, k) float32 means."""
        first = np.searchsorted(self.window_clip, np.arange(len(self.clip_ids)))
        sums = np.add.reduceat(values, first, axis=0, dtype=np.float64)
        counts = np.diff(first, append=len(values))
        return (sums / counts[:, None]).astype(np.float32)

    def save(self, path: str | os.PathLike) -> None:
        """Writes an uncompressed .npz; equal stores give equal bytes.

        The file has the arrays above and `clips`, for readers without this
        class.
        """
        np.savez(
            path,
            version=VERSION,
            clips=self.clips,
            windows=self.windows,
            window_clip=self.window_clip,
            clip_ids=np.array(self.clip_ids, np.str_),
            labels=self.labels,
            class_names=np.array(self.class_names, np.str_),
        )

    @classmethod
    def load(cls, path: str | os.PathLike) -> "EmbeddingStore":
        """Reads what `save` wrote.

        Raises:
          UserError: the file is missing, damaged, or of another version.
        """
        with _arrays(path) as arrays:
            return cls(
                arrays["windows"], arrays["window_clip"], *_of_clips(arrays)
            )

    @classmethod
    def concatenate(
        cls, stores: Sequence["EmbeddingStore"]
    ) -> "EmbeddingStore":
        """The clips of several stores of one data set, in that order."""
        if len(stores) == 1:
            return stores[0]
        counts = np.concatenate([np.bincount(s.window_clip) for s in stores])
        return cls(
            np.concatenate([store.windows for store in stores]),
            np.repeat(np.arange(len(counts)), counts),
            *_joined(stores),
        )


@contextlib.contextmanager
def _arrays(path: str | os.PathLike) -> Iterator[Mapping[str, np.ndarray]]:
    """The arrays of a file; each is read where it is asked for."""
    problem = "is damaged: delete it and run again, the others are kept"
    with array_file.arrays_of(path, problem) as arrays:
        if arrays["version"] != VERSION:
            raise ValueError(f"version {arrays['version']}")
        yield arrays


def _of_clips(arrays: Mapping[str, np.ndarray]) -> tuple:
    """`clip_ids`, `labels` and `class_names`."""
    return (
        tuple(arrays["clip_ids"].tolist()),
        arrays["labels"],
        tuple(arrays["class_names"].tolist()),
    )


def _joined(stores: Sequence[ClipStore | EmbeddingStore]) -> tuple:
    return (
        tuple(i for store in stores for i in store.clip_ids),
        np.concatenate([store.labels for store in stores]),
        stores[0].class_names,
    )
