"""Area under the ROC curve, and d-prime."""

import numpy as np
from scipy import special, stats

from models.metrics.average_precision import checked


def area_under_roc(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The share of (relevant, other) pairs in the right order; ties are half.

    Computed from the sum of ranks (Mann-Whitney U).

    Args:
      labels: (N, C), or (N,) for one class; non-zero is relevant.
      scores: the same shape, higher is more relevant.

    Returns:
      (C,) float64, or a scalar array for one class; NaN where all items are
      relevant, or none is.

    Raises:
      ValueError: the shapes differ, or a score is NaN.
    """
    labels, scores = checked(labels, scores)
    positives = np.count_nonzero(labels, axis=0)
    pairs = positives * (len(labels) - positives)
    ranks = stats.rankdata(scores, axis=0)
    wins = np.sum(ranks * labels, axis=0) - positives * (positives + 1) / 2
    return np.where(pairs > 0, wins / np.maximum(pairs, 1), np.nan)


def d_prime(auc: np.ndarray | float) -> np.ndarray:
    """sqrt(2) times the normal quantile of the AUC, as in PANNs.

    Infinite at an AUC of 0 and 1, NaN at NaN. Over several classes the figure
    to give is the d-prime of the mean AUC, which stays finite.
    """
    return np.sqrt(2.0) * special.ndtri(auc)
