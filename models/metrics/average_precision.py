"""Average precision per class, and its mean (mAP)."""

import numpy as np
from scipy import special

from models.metrics import ranking
from models.metrics.ranking import Ranking


def average_precision(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Area under the precision-recall steps, one value per class.

    AP = sum over the distinct scores, from the highest down, of (step of
    recall) * (precision there). Items of one score form one threshold, so
    the order of tied items does not matter; nothing is interpolated. Equals
    scikit-learn's `average_precision_score`, but for empty classes.

    Args:
      labels: (N, C), or (N,) for one class; non-zero is relevant.
      scores: the same shape, higher is more relevant; logits will do.

    Returns:
      (C,) float64, or a scalar array for one class; NaN where no item is
      relevant.

    Raises:
      ValueError: the shapes differ, or a score is NaN.
    """
    [values] = ranking.of_classes(labels, scores, precision_area)
    return values


def precision_area(ranked: Ranking) -> float:
    """Average precision of one class; NaN where no item is relevant."""
    hits = ranked.hits
    if not hits.size:
        return float("nan")
    steps = np.diff(hits, prepend=0)
    return float(np.sum(hits / ranked.items * steps) / hits[-1])


def mean_over_classes(per_class: np.ndarray) -> float:
    """Mean of the values that are not NaN; NaN when there is none."""
    known = per_class[~np.isnan(per_class)]
    return float(known.mean()) if known.size else float("nan")


def chance_average_precision(relevant: int, items: int) -> float:
    """The mean AP over all orders of `items`, of which some are relevant.

    At place i of N there is one of R with probability R / N, and R - 1 of the
    other N - 1 are as likely above it: summed over the places.

    Args:
      relevant: R, at least 1.
      items: N.
    """
    harmonic = special.digamma(items + 1) + np.euler_gamma
    first = harmonic / items
    return float(first + (1 - first) * (relevant - 1) / max(items - 1, 1))
