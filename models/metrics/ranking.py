"""Items ranked by score, class by class: what AP and AUC are made of."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from models.numerics.columns import columns


class Ranking(NamedTuple):
    """The items of one class, from the highest score down.

    Attributes:
      hits: (T,) relevant items at or above each score that a relevant item
        has. Items of one score are one threshold.
      items: (T,) all items at or above it.
      above: (T,) all items above it.
      count: items in all.
    """

    hits: np.ndarray
    items: np.ndarray
    above: np.ndarray
    count: int


def of_classes(
    labels: np.ndarray,
    scores: np.ndarray,
    *measures: Callable[[Ranking], float],
) -> list[np.ndarray]:
    """What each measure says of each class; the scores are sorted once.

    Args:
      labels: (N, C), or (N,) for one class; non-zero is relevant.
      scores: the same shape, higher is more relevant. Float32 is ranked as it
        is, anything else as float64.
      *measures: of a `Ranking`.

    Returns:
      For each measure (C,) float64, or a scalar for one class.

    Raises:
      ValueError: the shapes differ, or a score is NaN.
    """
    labels, scores = _checked(labels, scores)
    if labels.ndim == 1:
        classes = [(labels, scores)]
    else:
        classes = zip(columns(labels), columns(scores), strict=True)
    rankings = (_ranking(*of_class) for of_class in classes)
    values = [[measure(of) for measure in measures] for of in rankings]
    values = np.array(values, np.float64).reshape(-1, len(measures)).T
    return [of.reshape(labels.shape[1:])[()] for of in values]


def _checked(
    labels: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Labels as bool and scores as floats, of one shape and without NaN."""
    labels, scores = np.asarray(labels) != 0, np.asarray(scores)
    if labels.shape != scores.shape:
        raise ValueError(
            "labels and scores need one shape. Received: "
            f"labels.shape={labels.shape}, scores.shape={scores.shape}"
        )
    if scores.dtype != np.float32:
        scores = scores.astype(np.float64, copy=False)
    if np.isnan(scores).any():
        raise ValueError(
            "NaN cannot be ranked. Received: "
            f"{np.isnan(scores).sum()} NaN of {scores.size} scores"
        )
    return labels, scores


def _ranking(labels: np.ndarray, scores: np.ndarray) -> Ranking:
    keys = _descending_keys(scores)
    order = _sorting(keys)
    ranked = keys[order]
    following = np.append(ranked[1:], ~ranked[-1:])
    # Items at or above each distinct score: where a threshold can be.
    items = 1 + np.flatnonzero(ranked != following)
    hits = np.cumsum(labels[order])[items - 1]
    relevant = np.flatnonzero(hits != np.append(0, hits[:-1]))
    above = np.append(0, items)[relevant]
    return Ranking(hits[relevant], items[relevant], above, len(labels))


def _descending_keys(scores: np.ndarray) -> np.ndarray:
    """Unsigned integers, equal where scores are, and the lower the higher."""
    # Adding 0 makes -0 of one sign with 0.
    bits = (scores + scores.dtype.type(0)).view(f"i{scores.itemsize}")
    # All bits of a negative number, as a mask.
    negative = bits >> (8 * bits.itemsize - 1)
    keys = bits ^ (~negative & np.iinfo(bits.dtype).max)
    return keys.view(f"u{scores.itemsize}")


def _sorting(keys: np.ndarray) -> np.ndarray:
    """`argsort` of unsigned integers, several times as fast as NumPy's.

    By digits of 16 bits, which NumPy sorts by counting: the two highest, the
    lower of them first. What they leave tied is little, and sorted as usual.
    """
    low, high = (
        (keys >> (8 * keys.itemsize - bits)).astype(np.uint16)
        for bits in (32, 16)
    )
    order = np.argsort(low, kind="stable")
    order = order[np.argsort(high[order], kind="stable")]
    if keys.itemsize > 4:
        leading = (keys >> (8 * keys.itemsize - 32))[order]
        ties = leading == np.append(leading[1:], ~leading[-1:])
        ties[1:] |= ties[:-1]
        tied = order[ties]
        order[ties] = tied[np.argsort(keys[tied])]
    return order
