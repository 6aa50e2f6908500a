"""Query by example, as measured in the WASPAA 2021 slides."""

import functools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from threadpoolctl import ThreadpoolController

from evaluate.similarity.nearest_neighbors import cosine_similarity, unit_rows
from evaluate.uncertainty import influence
from evaluate.uncertainty.influence import Influence
from models.metrics.average_precision import average_precision
from models.numerics.columns import columns

_LIBRARIES = ThreadpoolController()


class Drawn(NamedTuple):
    """Clips drawn for a class, which is known by its number."""

    number: int
    positives: np.ndarray
    negatives: np.ndarray


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
    of .331; counted in both orders, as 9,900 of 19,900, it would be .497.

    Args:
      embeddings: of clips, (clips, d).
      labels: theirs (clips, C), multi-hot.
      positives: most clips drawn with the class.
      negatives: most clips drawn without it.
      seed: of the draws.

    Returns:
      (C,) float64; NaN for a class with fewer than 2 positives or without a
      negative.
    """
    values = np.full(labels.shape[1], np.nan)
    for drawn in draws(labels, positives, negatives, seed):
        values[drawn.number] = pair_average_precision(
            embeddings[drawn.positives], embeddings[drawn.negatives]
        )
    return values


def draws(
    labels: np.ndarray, positives: int, negatives: int, seed: int
) -> Iterator[Drawn]:
    """The clips of each class that makes pairs; see `query_by_example`.

    Our choice: without replacement, by a generator of (seed, class), so that
    another class does not change the draw.
    """
    can_be_ranked = has_pairs(labels)
    for number, has_class in enumerate(columns(labels != 0)):
        if can_be_ranked[number]:
            random = np.random.default_rng([seed, number])
            with_class = _draw(np.flatnonzero(has_class), positives, random)
            without = _draw(np.flatnonzero(~has_class), negatives, random)
            yield Drawn(number, with_class, without)


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
    places, relevant, scores = _ranked_pairs(positives, negatives)
    del places
    return float(average_precision(relevant, scores))


def pair_influence(positives: np.ndarray, negatives: np.ndarray) -> Influence:
    """The same, and what it owes to each of the P + N clips.

    A clip weighs in all of its pairs: of their derivatives it has the sum, and
    without it they are all gone. (That is not what they are worth one by one:
    a positive has a large part of all pairs.)
    """
    places, relevant, scores = _ranked_pairs(positives, negatives)
    derivative = influence.of_average_precision(relevant, scores).derivative
    clips = len(positives) + len(negatives)
    pair = np.divmod(places, clips)
    derivative = sum(np.bincount(x, derivative, minlength=clips) for x in pair)

    thresholds = np.unique(scores[relevant])[::-1]
    at = np.searchsorted(-thresholds, -scores)
    count = len(thresholds)

    def from_the_top(chosen):
        """(1 + clips, T): pairs at or above; of all, and of each clip's."""
        places = [at[chosen]] + [
            (1 + x[chosen]) * (count + 1) + at[chosen] for x in pair
        ]
        found = np.bincount(
            np.concatenate(places), minlength=(1 + clips) * (count + 1)
        )
        return np.cumsum(found.reshape(1 + clips, -1)[:, :-1], axis=1)

    hits, items = (from_the_top(chosen) for chosen in (relevant, ...))
    hits[1:], items[1:] = hits[0] - hits[1:], items[0] - items[1:]
    steps = np.diff(hits, axis=1, prepend=0)
    areas = np.sum(steps * hits / np.maximum(items, 1), axis=1)
    value, *without = areas / np.maximum(hits[:, -1], 1)
    # Without one of two positives no pair is right: nothing is said.
    without = np.where(hits[1:, -1] > 0, without, value)
    return Influence(value, derivative, value - without)


def _ranked_pairs(
    positives: np.ndarray, negatives: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`_pairs`, and their similarities."""
    # Ranking by distance, nearest first, is ranking by similarity.
    units = unit_rows(np.concatenate([positives, negatives]))
    # A product this small is slower in several threads, and several times as
    # slow where they have to wait for a core.
    with _LIBRARIES.limit(limits=1, user_api="blas"):
        scores = cosine_similarity(units[: len(positives)], units)
    places, relevant = _pairs(*scores.shape)
    return places, relevant, scores.ravel()[places]


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
