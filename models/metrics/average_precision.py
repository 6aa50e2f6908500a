"""Average precision per class, and its mean (mAP)."""

import numpy as np


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
    labels, scores = checked(labels, scores)
    if labels.ndim == 1:
        return np.float64(_of_one_class(labels, scores))
    return np.array([*map(_of_one_class, labels.T, scores.T)])


def mean_over_classes(per_class: np.ndarray) -> float:
    """Mean of the values that are not NaN; NaN when there is none."""
    known = per_class[~np.isnan(per_class)]
    return float(known.mean()) if known.size else float("nan")


def checked(
    labels: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Labels as bool and scores as an array, of one shape and without NaN."""
    labels, scores = np.asarray(labels) != 0, np.asarray(scores)
    if labels.shape != scores.shape:
        raise ValueError(
            "labels and scores need one shape. Received: "
            f"labels.shape={labels.shape}, scores.shape={scores.shape}"
        )
    if np.isnan(scores).any():
        raise ValueError(
            "NaN cannot be ranked. Received: "
            f"{np.isnan(scores).sum()} NaN of {scores.size} scores"
        )
    return labels, scores


def _of_one_class(labels: np.ndarray, scores: np.ndarray) -> float:
    relevant = np.count_nonzero(labels)
    if not relevant:
        return float("nan")
    order = np.argsort(scores)[::-1]
    ranked = scores[order]
    # Last item of each run of equal scores: where a threshold can be.
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    hits = np.cumsum(labels[order])[ends]
    precision = hits / (ends + 1)
    recall_steps = np.diff(hits, prepend=0) / relevant
    return float(precision @ recall_steps)
