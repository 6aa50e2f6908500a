import numpy as np
import pytest

from evaluate.measures import nearest_neighbors
from evaluate.measures.nearest_neighbors import cosine_similarity, unit_rows

find_nearest = nearest_neighbors.nearest_neighbors


def test_by_hand_with_ties_in_order_of_index():
    collection = np.array([[0, 2], [3, 0], [0, 0], [1, 0], [-5, 0], [1, 1]])
    index, similarity = find_nearest([[7.0, 0.0]], collection, 6)
    # Rows 1 and 3 point the same way; 0 is at a right angle, 2 is zero.
    np.testing.assert_array_equal(index, [[1, 3, 5, 0, 2, 4]])
    np.testing.assert_allclose(
        similarity, [[1, 1, np.sqrt(0.5), 0, 0, -1]], atol=1e-12
    )


@pytest.mark.parametrize("block_rows", [1, 13, 100])
def test_blocks_do_not_matter(block_rows, monkeypatch):
    monkeypatch.setattr(nearest_neighbors, "BLOCK_ROWS", block_rows)
    random = np.random.default_rng(0)
    collection = random.integers(-1, 2, (53, 3)).astype("f4")
    queries = random.normal(size=(15, 3))
    all_similarities = cosine_similarity(queries, collection)
    order = np.argsort(-all_similarities, axis=1, kind="stable")[:, :9]
    compared = []
    monkeypatch.setattr(
        nearest_neighbors,
        "unit_rows",
        lambda rows: compared.append(len(rows)) or unit_rows(rows),
    )
    index, similarity = find_nearest(queries, collection, 9)
    np.testing.assert_array_equal(index, order)
    np.testing.assert_array_equal(
        similarity, np.take_along_axis(all_similarities, order, axis=1)
    )
    # No more similarities are held at once, or those of one query.
    assert max(compared[1:]) * 53 <= max(53, block_rows**2)


def test_gives_the_whole_of_a_small_collection():
    index, _ = find_nearest(np.eye(2), np.eye(2), 10)
    np.testing.assert_array_equal(index, [[0, 1], [1, 0]])
    index, _ = find_nearest(np.zeros((0, 2)), np.eye(2), 10)
    assert index.shape == (0, 2)
