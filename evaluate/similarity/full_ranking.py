"""All clips of a collection ranked for each query."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from evaluate.similarity.nearest_neighbors import (
    BLOCK_ROWS,
    cosine_similarity,
)
from evaluate.uncertainty import influence
from evaluate.uncertainty.influence import Influence
from models.metrics.average_precision import chance_average_precision


class Ranked(NamedTuple):
    """How well a class's clips find each other, means over its queries.

    Attributes:
      ap: average precision of the ranking.
      precision: share of the first k that have the class.
      chance_ap, chance_precision: of a ranking at random.
    """

    ap: Influence
    precision: Influence
    chance_ap: float
    chance_precision: float


def rank_class(
    units: np.ndarray,
    has_class: np.ndarray,
    recordings: np.ndarray,
    queries: np.ndarray,
    top: int,
) -> Ranked | None:
    """Ranks for each query all clips but those of its own recording.

    Args:
      units: embeddings of length 1 or 0, (n, d) float64.
      has_class: (n,) bool.
      recordings: (n,), numbers.
      queries: clips that have the class.
      top: k; of fewer clips the precision is of all.

    Returns:
      Figures and what they owe to each clip, as query and as one that is
      ranked; None where no query has another clip to find, or none to pass by.
    """
    found = []
    of_queries = _similarities(units, queries)
    for query, similarities in zip(queries, of_queries, strict=True):
        others = np.flatnonzero(recordings != recordings[query])
        relevant = has_class[others]
        if not relevant.any():
            continue
        scores = similarities[others]
        found.append(
            (
                query,
                others,
                influence.of_average_precision(relevant, scores),
                _precision(relevant, scores, top),
                chance_average_precision(relevant.sum(), len(others)),
                relevant.mean(),
            )
        )
    if not found:
        return None
    clips, others, ap, precision, *chances = zip(*found, strict=True)
    return Ranked(
        _over_queries(len(units), clips, others, ap),
        _over_queries(len(units), clips, others, precision),
        *(float(np.mean(chance)) for chance in chances),
    )


def _similarities(
    units: np.ndarray, queries: np.ndarray
) -> Iterator[np.ndarray]:
    """Of each query with all clips (n,); made for some queries at a time."""
    step = max(1, BLOCK_ROWS**2 // len(units))
    for first in range(0, len(queries), step):
        yield from cosine_similarity(
            units[queries[first : first + step]], units
        )


def _precision(relevant: np.ndarray, scores: np.ndarray, top: int) -> Influence:
    """Clips of one similarity share the places that they take.

    The k-th place moves as little as the clips above it do: only what a clip
    in the first k adds is counted, and that another clip follows.
    """
    top = min(top, len(scores))
    last = np.partition(scores, len(scores) - top)[len(scores) - top]
    above, at = scores > last, scores == last
    share = above + at * (top - above.sum()) / at.sum()
    follows = relevant[at].mean()
    value = share @ relevant / top
    moved = share * (relevant - follows) / top
    return Influence(value, moved - moved.mean(), moved - moved.mean())


def _over_queries(clips: int, queries, others, found) -> Influence:
    """Their mean, of clips that are queries and of clips that are ranked."""
    count = len(found)
    values = np.array([one.value for one in found])
    parts = []
    for part, of_queries in (
        ("derivative", count),
        ("deletion", max(count - 1, 1)),
    ):
        owed = np.zeros(clips)
        for ranked, one in zip(others, found, strict=True):
            owed[ranked] += getattr(one, part) / count
        owed[list(queries)] += (values - values.mean()) / of_queries
        parts.append(owed)
    return Influence(values.mean(), *parts)
