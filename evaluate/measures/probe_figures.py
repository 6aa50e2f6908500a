"""From scores of clips to figures, each with what it owes to each clip."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from evaluate.uncertainty import influence
from evaluate.uncertainty.influence import Influence
from models.numerics.columns import columns


class Part(NamedTuple):
    """A fold: its clips, and what each of the seeds' classifiers says of them.

    Attributes:
      labels: (n, C) bool.
      scores: (seeds, n, C).
    """

    labels: np.ndarray
    scores: np.ndarray


class OfClass(NamedTuple):
    """A class in each fold; None where it has no positive, or only such.

    Attributes:
      ap: average precision.
      auc: area under the ROC curve.
    """

    ap: list[Influence | None]
    auc: list[Influence | None]


def of_classes(parts: Sequence[Part]) -> Iterator[OfClass]:
    """The figures of one class after the other, each the mean over seeds."""
    of_parts = [
        zip(
            columns(part.labels),
            *(columns(of_seed) for of_seed in part.scores),
            strict=True,
        )
        for part in parts
    ]
    for of_class in zip(*of_parts, strict=True):
        yield OfClass(
            [
                _over_seeds(influence.of_average_precision, *one)
                if one[0].any()
                else None
                for one in of_class
            ],
            [
                _over_seeds(influence.of_area_under_roc, *one)
                if one[0].any() and not one[0].all()
                else None
                for one in of_class
            ],
        )


class Sum:
    """The mean over classes in each fold, as the classes come."""

    def __init__(self, parts: Sequence[Part]):
        self._sums = [
            (0.0, np.zeros(len(part.labels)), np.zeros(len(part.labels)))
            for part in parts
        ]
        self._counts = [0] * len(parts)

    def add(self, of_folds: Sequence[Influence | None]) -> None:
        """Takes in a class."""
        for k, found in enumerate(of_folds):
            if found is not None:
                self._sums[k] = tuple(
                    a + b for a, b in zip(self._sums[k], found, strict=True)
                )
                self._counts[k] += 1

    def mean(self) -> Influence | None:
        """Over classes, then over folds; None where a fold has no class."""
        if not all(self._counts):
            return None
        return influence.joined(
            [
                Influence(*(part / count for part in of_fold))
                for of_fold, count in zip(self._sums, self._counts, strict=True)
            ]
        )


def accuracy(parts: Sequence[Part]) -> Influence:
    """Share of clips whose best score is that of their label."""
    return influence.joined(
        [
            influence.of_mean(
                np.mean(
                    part.scores.argmax(axis=2) == part.labels.argmax(axis=1),
                    axis=0,
                )
            )
            for part in parts
        ]
    )


def _over_seeds(
    measure: Callable[[np.ndarray, np.ndarray], Influence],
    labels: np.ndarray,
    *scores: np.ndarray,
) -> Influence:
    return influence.mean([measure(labels, of_seed) for of_seed in scores])
