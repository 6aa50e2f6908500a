"""Cosine similarity, and exact nearest neighbours by it."""

import numpy as np

# Squared, the similarities that are held at once: 8 MB of them.
BLOCK_ROWS = 1024


def nearest_neighbors(
    queries: np.ndarray,
    collection: np.ndarray,
    k: int,
    block_rows: int = BLOCK_ROWS,
) -> tuple[np.ndarray, np.ndarray]:
    """The k most similar rows of a collection for each query.

    Args:
      queries: (q, d).
      collection: (n, d).
      k: neighbours wanted; n are given when there are no more.
      block_rows: rows of either that are compared at once, so that (q, n)
        similarities are never stored.

    Returns:
      indices (q, k) int64 and similarities (q, k) float64, best first; of
      equally similar rows the one with the lower index comes first.

    Raises:
      ValueError: k is below 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1. Received: k={k}")
    if len(queries) > block_rows:
        parts = [
            nearest_neighbors(
                queries[i : i + block_rows], collection, k, block_rows
            )
            for i in range(0, len(queries), block_rows)
        ]
        index, similarity = zip(*parts, strict=True)
        return np.concatenate(index), np.concatenate(similarity)
    best_index = np.zeros((len(queries), 0), np.int64)
    best = np.zeros((len(queries), 0))
    for start in range(0, len(collection), block_rows):
        block = collection[start : start + block_rows]
        similarity = cosine_similarity(queries, block)
        index = np.arange(start, start + len(block))
        index = np.broadcast_to(index, similarity.shape)
        # Earlier rows stand first: the stable sort keeps them first in ties.
        similarity = np.concatenate([best, similarity], axis=1)
        index = np.concatenate([best_index, index], axis=1)
        order = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
        best = np.take_along_axis(similarity, order, axis=1)
        best_index = np.take_along_axis(index, order, axis=1)
    return best_index, best


# Float32 embeddings carry no more; rounding makes equal vectors equally
# similar, whatever order a matrix product adds in.
_DECIMALS = 12


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """(n, d) -> float64 rows of length 1; a zero row stays zero."""
    vectors = np.asarray(vectors, np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1)


def cosine_similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, d), (m, d) -> (n, m) float64 in [-1, 1]; 0 for a zero vector."""
    return np.round(unit_rows(a) @ unit_rows(b).T, _DECIMALS)
