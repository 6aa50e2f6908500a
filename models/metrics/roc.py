"""Area under the ROC curve, and d-prime."""

import numpy as np
from scipy import special

from models.metrics import ranking
from models.metrics.ranking import Ranking


def area_under_roc(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The share of (relevant, other) pairs in the right order; ties are half.

    Computed by counting (Mann-Whitney U).

    Args:
      labels: (N, C), or (N,) for one class; non-zero is relevant.
      scores: the same shape, higher is more relevant.

    Returns:
      (C,) float64, or a scalar array for one class; NaN where all items are
      relevant, or none is.

    Raises:
      ValueError: the shapes differ, or a score is NaN.
    """
    [values] = ranking.of_classes(labels, scores, roc_area)
    return values


def roc_area(ranked: Ranking) -> float:
    """AUC of one class; NaN where all items are relevant, or none is."""
    hits = ranked.hits
    positives = hits[-1] if hits.size else 0
    pairs = positives * (ranked.count - positives)
    if not pairs:
        return float("nan")
    steps = np.diff(hits, prepend=0)
    # Others at or above each relevant item, and those above it: half of the
    # sum are the pairs lost. In integers, so nothing is rounded.
    others = (ranked.items - hits) + (ranked.above - (hits - steps))
    return float((pairs - (steps @ others) / 2) / pairs)


def d_prime(auc: np.ndarray | float) -> np.ndarray:
    """sqrt(2) times the normal quantile of the AUC, as in PANNs.

    Infinite at an AUC of 0 and 1, NaN at NaN. Over several classes the figure
    to give is the d-prime of the mean AUC, which stays finite.
    """
    return np.sqrt(2.0) * special.ndtri(auc)
