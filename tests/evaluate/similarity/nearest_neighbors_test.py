import numpy as np
import pytest

from evaluate.similarity import nearest_neighbors
from evaluate.similarity.nearest_neighbors import Collection, unit_rows

find_nearest = nearest_neighbors.nearest_neighbors


def plain(queries, collection, k):
    """All similarities in float64, and all of them sorted."""
    products = unit_rows(queries)[:, None] * unit_rows(collection)
    similarity = np.round(products.sum(axis=-1), 12)
    index = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return index, np.take_along_axis(similarity, index, axis=1)


def test_by_hand_with_ties_in_order_of_index():
    collection = np.array([[0, 2], [3, 0], [0, 0], [1, 0], [-5, 0], [1, 1]])
    # More are wanted than there are.
    index, similarity = find_nearest([[7.0, 0.0]], collection, 10)
    # Rows 1 and 3 point the same way; 0 is at a right angle, 2 is zero.
    np.testing.assert_array_equal(index, [[1, 3, 5, 0, 2, 4]])
    np.testing.assert_allclose(
        similarity, [[1, 1, np.sqrt(0.5), 0, 0, -1]], atol=1e-12
    )


def collections():
    random = np.random.default_rng(0)
    noise = random.normal(size=(500, 24))
    # Differences that products in float32 cannot tell, or put the other way.
    near = noise[:1] + 1e-5 * random.normal(size=(500, 24))
    fewer = noise.copy()
    fewer[::3] = 0
    fewer[5:9] = np.nan
    return {
        "noise": noise.astype(np.float32),
        "near": near,
        "one direction": noise[:1] * random.uniform(1, 9, (500, 1)),
        "repeated": noise[random.integers(0, 9, 500)],
        "zeros and NaN": fewer,
        "NaN": np.full((500, 24), np.nan),
        "scales": noise * 10.0 ** random.integers(-60, 60, (500, 1)),
        "ascending": noise[:1] + np.linspace(9, 0, 500)[:, None] * noise[1:2],
        "a grid": random.integers(-1, 2, (500, 3)),
        "one row": noise[:1],
    }


@pytest.mark.parametrize("name", collections())
@pytest.mark.parametrize("rows", [7, 100, 1 << 17])
def test_equals_sorting_all_similarities_in_float64(name, rows, monkeypatch):
    collection = collections()[name]
    queries = np.concatenate([collection[:6], np.zeros_like(collection[:1])])
    monkeypatch.setattr(nearest_neighbors, "_ROWS", rows)
    monkeypatch.setattr(nearest_neighbors, "BLOCK_ROWS", 20)
    held = Collection(collection)
    for k in (1, 9, 1000):
        wanted = plain(queries, collection, k)
        np.testing.assert_array_equal(held.nearest(queries, k), wanted)


def test_float32_alone_would_misorder():
    collection = collections()["near"]
    units = unit_rows(collection).astype(np.float32)
    order = np.argsort(-(units @ units[0]), kind="stable")[:9]
    assert order.tolist() != plain(collection[:1], collection, 9)[0][0].tolist()


def test_few_rows_are_compared_in_float64(monkeypatch):
    random = np.random.default_rng(1)
    held = Collection(random.normal(size=(5000, 32)).astype(np.float32))
    queries = random.normal(size=(20, 32))
    compared = []
    monkeypatch.setattr(
        nearest_neighbors,
        "unit_rows",
        lambda rows: compared.append(len(rows)) or unit_rows(rows),
    )
    held.nearest(queries, 10)
    assert len(compared) == 21 and max(compared[1:]) < 20


def test_no_query_finds_nothing():
    index, _ = find_nearest(np.zeros((0, 2)), np.eye(2), 10)
    assert index.shape == (0, 2)


def test_nothing_is_found_in_nothing():
    index, similarity = find_nearest(np.ones((3, 2)), np.zeros((0, 2)), 10)
    assert index.shape == similarity.shape == (3, 0)
