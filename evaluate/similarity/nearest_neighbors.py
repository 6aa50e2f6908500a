"""Cosine similarity, and exact nearest neighbours by it."""

import numpy as np

# Squared, the similarities that are held at once: 4 MB of them.
BLOCK_ROWS = 1024
# Rows that a query is compared with at once.
_ROWS = 1 << 17


class Collection:
    """Vectors held ready for exact search by cosine similarity.

    Beside the vectors it holds their directions in float32. By these, rows
    that cannot be among the nearest are left out; the others are compared in
    float64. So what is found is what float64 would find.
    """

    def __init__(self, vectors: np.ndarray):
        """Takes `vectors` (n, d), which must not change any more."""
        self._vectors = np.asarray(vectors)
        self._units = np.empty(self._vectors.shape, np.float32)
        for first in range(0, len(self._units), BLOCK_ROWS):
            rows = slice(first, first + BLOCK_ROWS)
            self._units[rows] = unit_rows(self._vectors[rows])
        # Products of directions in float32 are off by at most m u / (1 - m u),
        # u = 2^-24, m = d + 2: d roundings of the sum, one of each factor
        # (Higham, Accuracy and Stability, 3.1). Two of m are for the rounding
        # of the threshold and of float64. Both the row and the k-th best may
        # be off.
        m = (self._units.shape[1] + 4) * 2.0**-24
        self._slack = 2 * m / (1 - m)

    def nearest(
        self, queries: np.ndarray, k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `nearest_neighbors`. Memory does not grow with the queries."""
        k = min(k, len(self._units))
        units = unit_rows(queries)
        indices = np.empty((len(units), k), np.int64)
        similarities = np.empty((len(units), k))
        step = max(1, BLOCK_ROWS**2 // max(1, min(_ROWS, len(self._units))))
        for first in range(0, len(units), step):
            part = units[first : first + step]
            candidates = self._candidates(part.astype(np.float32), k)
            for row, (unit, of_query) in enumerate(
                zip(part, candidates, strict=True), start=first
            ):
                similarity = self._similarity(unit, of_query)
                # A stable sort: of equal ones the first stays first.
                best = np.argsort(-similarity, kind="stable")[:k]
                indices[row] = of_query[best]
                similarities[row] = similarity[best]
        return indices, similarities

    def _candidates(self, queries: np.ndarray, k: int) -> list[np.ndarray]:
        """For each query the rows that may be among the k nearest, ascending.

        A row that has NaN may always be.
        """
        kept = [(np.empty(0, np.int64), np.empty(0, np.float32))] * len(queries)
        floors = np.full(len(queries), -np.inf, np.float32)
        for first in range(0, len(self._units), _ROWS):
            products = queries @ self._units[first : first + _ROWS].T
            for query, of_query in enumerate(products):
                found = np.flatnonzero(~(of_query < floors[query]))
                if not found.size:
                    continue
                old_rows, old_values = kept[query]
                rows = np.append(old_rows, first + found)
                values = np.append(old_values, of_query[found])
                if len(values) >= k:
                    # NaN sorts last.
                    kth = -np.partition(-values, k - 1)[k - 1]
                    floors[query] = np.float64(kth) - self._slack
                    stay = ~(values < floors[query])
                    rows, values = rows[stay], values[stay]
                kept[query] = rows, values
        return [rows for rows, _ in kept]

    def _similarity(self, unit: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Of a query of length 1 with some rows, in float64."""
        # Sums of products, for a matrix product adds in another order for
        # another number of rows.
        blocks = (
            np.sum(unit_rows(self._vectors[block]) * unit, axis=1)
            for block in np.split(
                rows, range(BLOCK_ROWS, len(rows), BLOCK_ROWS)
            )
        )
        return _rounded(np.concatenate([*blocks]))


def nearest_neighbors(
    queries: np.ndarray, collection: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k most similar rows of a collection for each query.

    For several calls with one collection, see `Collection`.

    Args:
      queries: (q, d).
      collection: (n, d).
      k: neighbours wanted, at least 1; n are given when there are no more.

    Returns:
      indices (q, k) int64 and similarities (q, k) float64, best first; of
      equally similar rows the one with the lower index comes first.
    """
    return Collection(collection).nearest(queries, k)


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """(n, d) -> float64 rows of length 1; a zero row stays zero."""
    vectors = np.asarray(vectors, np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1)


def cosine_similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of `unit_rows` (n, d), (m, d) -> (n, m) float64 in [-1, 1]."""
    return _rounded(a @ b.T)


def _rounded(similarity: np.ndarray) -> np.ndarray:
    # Float32 embeddings carry no more; rounding makes equal vectors equally
    # similar, whatever order a matrix product adds in.
    return np.round(similarity, 12)
