"""A paired test of two runs that scored the same clips."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from evaluate.uncertainty.influence import Influence
from evaluate.uncertainty.interval import spread_of_difference

# Our choice: swaps that are tried, fewer of large tables for their time.
# With these counts, 0.05 is one of the values that p can have.
_LEAST, _MOST = 199, 1999
_WORK = 4e8


class Scored(NamedTuple):
    """The clips of an evaluation split, as two runs scored them.

    Attributes:
      labels: (n, C) bool.
      a, b: (n, C), scores of the two.
      recordings: (n,) whole numbers from 0, over all splits.
    """

    labels: np.ndarray
    a: np.ndarray
    b: np.ndarray
    recordings: np.ndarray


def swap_test(scored: Sequence[Scored], seed: int = 0) -> float:
    """p-value of the difference of two mAP, by swapping the runs' scores.

    Where two runs are equally good, it does not matter which of them a score
    is from. So of each recording all scores of the two are swapped or not, at
    random, and the differences found so are what chance makes (Fisher's
    randomisation test; Smucker et al., "A Comparison of Statistical
    Significance Tests for Information Retrieval Evaluation", CIKM 2007). That
    holds for few clips too. Scores become ranks in their class first, for runs
    may score on different scales.

    Args:
      scored: one for each fold, or seed; the figure is the mean over them.
      seed: of the swaps.
    """
    cells = sum(part.labels.size for part in scored)
    swaps = int(np.clip(_WORK // cells, _LEAST, _MOST)) // 100 * 100 + 99
    count = 1 + max(part.recordings.max() for part in scored)
    random = np.random.default_rng(seed)
    # The first is as it was.
    swapped = random.random((swaps + 1, count)) < 0.5
    swapped[0] = False
    differences = np.mean(
        [_differences(part, swapped[:, part.recordings]) for part in scored],
        axis=0,
    )
    # Sums in another order are rounded in another way.
    at_least = np.abs(differences) >= abs(differences[0]) - 1e-12
    return float(at_least.mean())


def t_test(difference: Influence, recordings: np.ndarray) -> float:
    """p-value of a difference of two figures, by what it owes to each clip.

    For figures of pairs of clips, where there is nothing to swap.

    Args:
      difference: of clips.
      recordings: (clips,), whole numbers.
    """
    error, freedom = spread_of_difference(difference, recordings)
    if not error:
        return float(difference.value == 0)
    return float(2 * stats.t.sf(abs(difference.value) / error, freedom))


def _differences(part: Scored, swapped: np.ndarray) -> np.ndarray:
    """(swaps,) differences of mAP, of (swaps, n) whether a clip is swapped."""
    classes = np.flatnonzero(part.labels.any(axis=0))
    return np.mean(
        [
            _difference(part.labels[:, k], part.a[:, k], part.b[:, k], swapped)
            for k in classes
        ],
        axis=0,
    )


def _difference(
    labels: np.ndarray, a: np.ndarray, b: np.ndarray, swapped: np.ndarray
) -> np.ndarray:
    """The same of one class: both runs' clips in one order, cut in two."""
    ranks = np.concatenate([stats.rankdata(a), stats.rankdata(b)])
    order = np.argsort(-ranks, kind="stable")
    clip, is_b = order % len(labels), order >= len(labels)
    ends = np.flatnonzero(np.diff(ranks[order], append=-1))
    relevant = labels[clip]
    # Only thresholds with a relevant clip have a part in it.
    ends = ends[np.diff(np.cumsum(relevant)[ends], prepend=0) > 0]
    first = swapped[:, clip] == is_b
    items = np.cumsum(first, axis=1, dtype=np.int32)[:, ends]
    hits = np.cumsum(first & relevant, axis=1, dtype=np.int32)[:, ends]
    all_hits = np.cumsum(relevant)[ends]
    return _area(hits, items) - _area(all_hits - hits, ends + 1 - items)


def _area(hits: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Average precision of (swaps, thresholds)."""
    steps = np.diff(hits, axis=1, prepend=0)
    return np.sum(steps * hits / np.maximum(items, 1), axis=1) / hits[:, -1]
