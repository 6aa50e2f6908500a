"""Settings of a classifier, chosen on training clips alone."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from evaluate.probing.recording_folds import recording_folds
from models.metrics.average_precision import (
    average_precision,
    mean_over_classes,
)


class Classifier(Protocol):
    """A linear or a shallow one."""

    def scores_along(
        self,
        grid: Sequence[NamedTuple],
        train: np.ndarray,
        labels: np.ndarray,
        held_out: np.ndarray,
    ) -> Iterator[tuple[NamedTuple, np.ndarray]]:
        """See `LinearClassifier`."""


def choose(
    classifier: Classifier,
    grid: Sequence[NamedTuple],
    embeddings: np.ndarray,
    labels: np.ndarray,
    recordings: np.ndarray,
    seed: int,
) -> NamedTuple:
    """The settings with the best mean mAP over `recording_folds`.

    Of equal ones the first of the classifier's order, which is the most
    restrained.

    Args:
      classifier: what is trained.
      grid: the settings.
      embeddings: of the training clips (n, d).
      labels: theirs (n, C), multi-hot.
      recordings: theirs (n,), numbers from 0.
      seed: of the folds.
    """
    if len(grid) == 1:
        return grid[0]
    found: dict[NamedTuple, list[float]] = {}
    for rows, held in recording_folds(labels, recordings, seed):
        for settings, scores in standardised_scores(
            classifier, grid, embeddings[rows], labels[rows], embeddings[held]
        ):
            value = mean_over_classes(average_precision(labels[held], scores))
            found.setdefault(settings, []).append(value)
    means = {
        settings: np.nanmean(values)
        for settings, values in found.items()
        # A class may have all of its clips in other folds.
        if not np.isnan(values).all()
    }
    return max(means, key=means.get) if means else grid[0]


def standardised_scores(
    classifier: Classifier,
    grid: Sequence[NamedTuple],
    train: np.ndarray,
    labels: np.ndarray,
    held_out: np.ndarray,
) -> Iterator[tuple[NamedTuple, np.ndarray]]:
    """`scores_along` of embeddings by mean and deviation of the training ones.

    A dimension that never varied there carries rounding noise: it becomes 0.
    """
    mean = np.mean(train, axis=0, dtype=np.float64)
    deviation = np.std(train, axis=0, dtype=np.float64)
    varies = deviation > 1e-6 * (1 + np.abs(mean))
    scale = np.where(varies, 1 / np.where(varies, deviation, 1), 0)
    train, held_out = (
        ((rows - mean) * scale).astype(np.float32) for rows in (train, held_out)
    )
    return classifier.scores_along(grid, train, labels, held_out)
