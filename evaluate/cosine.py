"""Cosine similarity of embeddings."""

import numpy as np

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
