import numpy as np
import pytest

from evaluate.measures import nearest_neighbors
from evaluate.measures.nearest_neighbors import unit_rows

find_nearest = nearest_neighbors.nearest_neighbors


def test_by_hand_with_ties_in_order_of_index():
    collection = np.array([[0, 2], [3, 0], [0, 0], [1, 0], [-5, 0], [1, 1]])
    # More are wanted than there are.
    index, similarity = find_nearest([[7.0, 0.0]], collection, 10)
    # Rows 1 and 3 point the same way; 0 is at a right angle, 2 is zero.
    np.testing.assert_array_equal(index, [[1, 3, 5, 0, 2, 4]])
    np.testing.assert_allclose(
        similarity, [[1, 1, np.sqrt(0.5), 0, 0, -1]], atol=1e-12
    )


@pytest.mark.parametrize("block_rows", [1, 13, 100])
def test_blocks_do_not_matter(block_rows, monkeypatch):
    random = np.random.default_rng(0)
    collection = random.integers(-1, 2, (53, 3)).astype("f4")
    queries = random.normal(size=(15, 3))
    whole = find_nearest(queries, collection, 9)
    compared = []
    monkeypatch.setattr(
        nearest_neighbors,
        "unit_rows",
        lambda rows: compared.append(len(rows)) or unit_rows(rows),
    )
    monkeypatch.setattr(nearest_neighbors, "BLOCK_ROWS", block_rows)
    np.testing.assert_array_equal(find_nearest(queries, collection, 9), whole)
    # No more similarities are held at once, or those of one query.
    assert max(compared[1:]) * 53 <= max(53, block_rows**2)


def test_no_query_finds_nothing():
    index, _ = find_nearest(np.zeros((0, 2)), np.eye(2), 10)
    assert index.shape == (0, 2)
