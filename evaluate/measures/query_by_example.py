"""Query by example, as measured in the WASPAA 2021 slides."""

import functools

import numpy as np

from evaluate.measures.nearest_neighbors import cosine_similarity, unit_rows
from models.metrics.average_precision import average_precision
from models.numerics.columns import columns


def query_by_example(
    embeddings: np.ndarray,
    labels: np.ndarray,
    positives: int = 100,
    negatives: int = 100,
    seed: int = 0,
) -> np.ndarray:
    """Average precision of each class.

    Per class, clips with and without it are drawn. All pairs (positive,
    positive) and (positive, negative) are ranked by cosine distance; AP says
    how far the former come first. Our choice: a pair of positives counts once.
    Of 100 and 100 clips these are 4,950 of 14,950 pairs, and chance is an AP
    of .331; counted in both orders, as 9,900 of 19,900, it would be .497. So
    is how the clips are drawn: without replacement, by a generator of (seed,
    class), so that another class does not change the draw.

    Args:
      embeddings: of clips, (clips, d).
      labels: (clips, C) multi-hot.
      positives: most clips drawn with the class.
      negatives: most clips drawn without it.

    Returns:
      (C,) float64; NaN for a class with fewer than 2 positives or without a
      negative.
    """
    values = np.full(labels.shape[1], np.nan)
    can_be_ranked = has_pairs(labels)
    for number, has_class in enumerate(columns(labels != 0)):
        if not can_be_ranked[number]:
            continue
        random = np.random.default_rng([seed, number])
        with_class = _draw(np.flatnonzero(has_class), positives, random)
        without = _draw(np.flatnonzero(~has_class), negatives, random)
        values[number] = pair_average_precision(
            embeddings[with_class], embeddings[without]
        )
    return values


def has_pairs(labels: np.ndarray) -> np.ndarray:
    """(C,) bool: classes with 2 positives and a negative among (clips, C)."""
    positives = np.count_nonzero(labels, axis=0)
    return (positives >= 2) & (positives < len(labels))


def pair_average_precision(
    positives: np.ndarray, negatives: np.ndarray
) -> float:
    """AP of the pairs (p, p') before the pairs (p, n).

    Args:
      positives: (P, d), P >= 2.
      negatives: (N, d), N >= 1.
    """
    # Ranking by distance, nearest first, is ranking by similarity.
    units = unit_rows(np.concatenate([positives, negatives]))
    scores = cosine_similarity(units[: len(positives)], units)
    places, relevant = _pairs(*scores.shape)
    return float(average_precision(relevant, scores.ravel()[places]))


@functools.lru_cache(maxsize=1)  # Of most classes the same number is drawn.
def _pairs(positives: int, clips: int) -> tuple[np.ndarray, np.ndarray]:
    """Places in the similarities (positives, clips), and which are right.

    Right of the diagonal: each pair of positives once, and the others.
    """
    places = np.flatnonzero(np.arange(positives)[:, None] < np.arange(clips))
    return places, places % clips < positives


def _draw(
    clips: np.ndarray, most: int, random: np.random.Generator
) -> np.ndarray:
    if len(clips) <= most:
        return clips
    return random.choice(clips, most, replace=False)
