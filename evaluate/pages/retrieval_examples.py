"""Queries and their nearest clips, to listen to."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from evaluate.similarity.nearest_neighbors import BLOCK_ROWS, nearest_neighbors

NEIGHBORS = 5


@dataclasses.dataclass(frozen=True)
class Neighbor:
    """A clip near a query; `shared` are the labels both have."""

    clip: int
    similarity: float
    shared: tuple[str, ...]


def choose_queries(
    labels: Sequence[tuple[str, ...]], count: int, seed: int
) -> list[int]:
    """Draws `count` clips, spread over the classes.

    Every class gives one clip before a class gives a second; without labels
    the clips are drawn from all. No clip is drawn twice.
    """
    rng = np.random.default_rng(seed)
    classes = sorted({name for names in labels for name in names})
    order = rng.permutation(len(labels)).tolist()
    if not classes:
        return order[:count]
    rng.shuffle(classes)
    chosen: list[int] = []
    for name in count * classes:
        if len(chosen) < count:
            free = [i for i in order if name in labels[i] and i not in chosen]
            chosen += free[:1]
    return chosen


def nearest(
    embeddings: np.ndarray,
    labels: Sequence[tuple[str, ...]],
    queries: Sequence[int],
) -> list[list[Neighbor]]:
    """The `NEIGHBORS` with the highest cosine similarity to each query.

    Args:
      embeddings: (n, d).
      labels: n tuples of class names.
      queries: clips among the n; none is its own neighbor.
    """
    # One more, since a query finds itself too.
    found = nearest_neighbors(
        embeddings[list(queries)], embeddings, NEIGHBORS + 1
    )
    return [
        [
            Neighbor(
                int(i),
                float(similarity),
                tuple(name for name in labels[i] if name in labels[query]),
            )
            for i, similarity in zip(*row, strict=True)
            if i != query
        ][:NEIGHBORS]
        for query, *row in zip(queries, *found, strict=True)
    ]


def shared_label_shares(
    embeddings: np.ndarray, labels: Sequence[tuple[str, ...]]
) -> tuple[float, float] | None:
    """How often a neighbor shares a label with its query, over all clips.

    Returns:
      The share among the `NEIGHBORS` nearest of every labeled clip, and among
      all other clips (chance); None where nothing is labeled.
    """
    classes = sorted({name for names in labels for name in names})
    labeled = [i for i, names in enumerate(labels) if names]
    if not labeled or len(labels) < 2:
        return None
    found = nearest(embeddings, labels, labeled)
    hits = [bool(neighbor.shared) for row in found for neighbor in row]
    has = np.array([[c in names for c in classes] for names in labels], "f4")
    blocks = np.array_split(labeled, 1 + len(labeled) // BLOCK_ROWS)
    related = sum(np.count_nonzero(has[block] @ has.T) for block in blocks)
    # Every labeled clip shares its labels with itself.
    others = related - len(labeled)
    return float(np.mean(hits)), others / (len(labeled) * (len(labels) - 1))
