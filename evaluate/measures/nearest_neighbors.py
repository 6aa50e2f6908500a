"""Cosine similarity, and exact nearest neighbours by it."""

import numpy as np

# Squared, the similarities that are held at once: 8 MB of them.
BLOCK_ROWS = 1024


def nearest_neighbors(
    queries: np.ndarray, collection: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k most similar rows of a collection for each query.

    Args:
      queries: (q, d).
      collection: (n, d).
      k: neighbours wanted, at least 1; n are given when there are no more.

    Returns:
      indices (q, k) int64 and similarities (q, k) float64, best first; of
      equally similar rows the one with the lower index comes first.
    """
    units = unit_rows(collection)
    rows = max(1, BLOCK_ROWS**2 // max(1, len(collection)))
    indices, similarities = [], []
    for part in np.array_split(queries, 1 + len(queries) // rows):
        similarity = _rounded(unit_rows(part) @ units.T)
        # A stable sort: of equal ones the first stays first.
        index = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
        indices.append(index)
        similarities.append(np.take_along_axis(similarity, index, axis=1))
    return np.concatenate(indices), np.concatenate(similarities)


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """(n, d) -> float64 rows of length 1; a zero row stays zero."""
    vectors = np.asarray(vectors, np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1)


def cosine_similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, d), (m, d) -> (n, m) float64 in [-1, 1]; 0 for a zero vector."""
    return _rounded(unit_rows(a) @ unit_rows(b).T)


def _rounded(similarity: np.ndarray) -> np.ndarray:
    # Float32 embeddings carry no more; rounding makes equal vectors equally
    # similar, whatever order a matrix product adds in.
    return np.round(similarity, 12)
