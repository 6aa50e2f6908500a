"""What each clip does to a figure: the jackknife, and its limit.

Efron & Stein, "The Jackknife Estimate of Variance" (1981); Efron, "The
Jackknife, the Bootstrap and Other Resampling Plans" (1982), chapter 6.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Influence(NamedTuple):
    """A figure, and what it owes to each clip.

    Attributes:
      value: the figure.
      derivative: (clips,), of the figure with respect to the weight of a clip.
        They add up to 0.
      deletion: (clips,), how much larger the figure is than without the clip.
    """

    value: float
    derivative: np.ndarray
    deletion: np.ndarray


def of_average_precision(labels: np.ndarray, scores: np.ndarray) -> Influence:
    """Of `average_precision` of one class: two sums over its thresholds.

    A clip without the class lowers the precision at each relevant clip that it
    is not below; one with the class raises the recall and that precision.

    Args:
      labels: (n,) bool, with one at least.
      scores: (n,).
    """
    thresholds = np.unique(scores[labels])[::-1]
    # The first threshold that a clip is not below.
    place = np.searchsorted(-thresholds, -scores)
    count = len(thresholds)
    steps = np.bincount(place[labels], minlength=count)
    hits = np.cumsum(steps)
    items = np.cumsum(np.bincount(place, minlength=count + 1))[:-1]
    positives = hits[-1]
    area = steps * hits / items
    value = area.sum() / positives

    lost = _from_here(area / items)[place]
    gained = (
        np.append(hits / items, 0)[place] + _from_here(steps / items)[place]
    )
    derivative = np.where(labels, gained - value, 0) - lost

    # Alone at the top there is no other clip, and nothing is left of it.
    others = np.maximum(items - 1, 1)
    above = np.append(0, np.cumsum(area))
    without_other = (above + _from_here(steps * hits / others))[place]
    fewer = (hits - 1) / others
    without_hit = (above + _from_here(steps * fewer))[place]
    without_hit -= np.append(fewer, 0)[place]
    without = np.where(
        labels,
        # Without its only positive a class has no figure: nothing is said.
        without_hit / (positives - 1) if positives > 1 else value,
        without_other / positives,
    )
    return Influence(value, derivative / positives, value - without)


def of_area_under_roc(labels: np.ndarray, scores: np.ndarray) -> Influence:
    """Of `area_under_roc` of one class, which has positives and others.

    Args:
      labels: (n,) bool.
      scores: (n,).
    """
    of_each = np.empty(len(labels))
    for these in (labels, ~labels):
        others = np.sort(scores[~these])
        below, not_above = (
            np.searchsorted(others, scores[these], side)
            for side in ("left", "right")
        )
        of_each[these] = (below + not_above) / (2 * len(others))
    # Of a clip without the class the share is that of positives above it.
    of_each[~labels] = 1 - of_each[~labels]
    value = of_each[labels].mean()
    counts = np.where(labels, labels.sum(), (~labels).sum())
    moved = of_each - value
    return Influence(value, moved / counts, moved / np.maximum(counts - 1, 1))


def of_mean(values: np.ndarray) -> Influence:
    """Of the mean of one value (n,) for each clip."""
    moved = values - values.mean()
    count = len(values)
    return Influence(values.mean(), moved / count, moved / max(count - 1, 1))


def mean(influences: Sequence[Influence]) -> Influence:
    """Of the mean of figures of the same clips: over classes, or seeds."""
    return Influence(
        *(np.mean(part, axis=0) for part in zip(*influences, strict=True))
    )


def joined(influences: Sequence[Influence]) -> Influence:
    """Of the mean of figures of different clips: over folds."""
    values, *parts = zip(*influences, strict=True)
    return Influence(
        np.mean(values), *(np.concatenate(p) / len(values) for p in parts)
    )


def difference(a: Influence, b: Influence) -> Influence:
    """Of one figure minus another, of the same clips."""
    return Influence(*(of_a - of_b for of_a, of_b in zip(a, b, strict=True)))


def _from_here(values: np.ndarray) -> np.ndarray:
    """(T,) -> (T + 1,): the sum of each and those after it, and 0."""
    return np.append(np.cumsum(values[::-1])[::-1], 0)
