import numpy as np
import pytest

from evaluate.measures.nearest_neighbors import (
    cosine_similarity,
    nearest_neighbors,
)


def test_by_hand_with_ties_in_order_of_index():
    collection = np.array([[0, 2], [3, 0], [0, 0], [1, 0], [-5, 0], [1, 1]])
    index, similarity = nearest_neighbors([[7.0, 0.0]], collection, 6)
    # Rows 1 and 3 point the same way; 0 is at a right angle, 2 is zero.
    np.testing.assert_array_equal(index, [[1, 3, 5, 0, 2, 4]])
    np.testing.assert_allclose(
        similarity, [[1, 1, np.sqrt(0.5), 0, 0, -1]], atol=1e-12
    )


@pytest.mark.parametrize("block_rows", [1, 4, 7, 100])
def test_blocks_do_not_matter(block_rows):
    random = np.random.default_rng(0)
    collection = random.integers(-1, 2, (53, 3)).astype("f4")
    queries = random.normal(size=(15, 3))
    order = np.argsort(
        -cosine_similarity(queries, collection), axis=1, kind="stable"
    )
    index, similarity = nearest_neighbors(queries, collection, 9, block_rows)
    np.testing.assert_array_equal(index, order[:, :9])
    np.testing.assert_array_equal(
        similarity,
        np.take_along_axis(
            cosine_similarity(queries, collection), index, axis=1
        ),
    )


def test_no_more_than_a_block_of_similarities_is_held(monkeypatch):
    shapes = []

    def compare(queries, block):
        shapes.append((len(queries), len(block)))
        return cosine_similarity(queries, block)

    monkeypatch.setattr(
        "evaluate.measures.nearest_neighbors.cosine_similarity", compare
    )
    nearest_neighbors(np.eye(7), np.eye(7)[:5], 2, block_rows=4)
    assert shapes == [(4, 4), (4, 1), (3, 4), (3, 1)]


def test_gives_the_whole_of_a_small_collection():
    index, _ = nearest_neighbors(np.eye(2), np.eye(2), 10)
    np.testing.assert_array_equal(index, [[0, 1], [1, 0]])


def test_refuses_no_neighbours():
    with pytest.raises(ValueError, match="k=0"):
        nearest_neighbors(np.eye(2), np.eye(2), 0)
