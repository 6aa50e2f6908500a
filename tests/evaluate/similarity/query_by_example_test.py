import numpy as np
import pytest

from evaluate.similarity.query_by_example import (
    pair_average_precision,
    query_by_example,
)


def at(*degrees):
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def test_pair_ranking_by_hand():
    # Angles of the pairs (p, p'): 10, 50, 60; of (p, n): 30, 20, 30, twice
    # as the second negative repeats the first. Ranked: 10 hit, 20 20 miss,
    # 30 30 30 30 miss, 50 hit, 60 hit -> (1/1 + 2/8 + 3/9) / 3.
    value = pair_average_precision(at(0, 10, 60), 3 * at(30, 30))
    assert value == pytest.approx((1 + 2 / 8 + 3 / 9) / 3)


def test_a_constant_embedding_gives_the_share_of_positive_pairs():
    embeddings = np.tile(np.random.default_rng(0).normal(size=33), (10, 1))
    labels = (np.arange(10) < 4)[:, None]
    # 4 positives: 6 pairs; with 6 negatives: 24 pairs.
    np.testing.assert_allclose(query_by_example(embeddings, labels), [6 / 30])


def test_separated_classes_reach_one_and_small_ones_are_left_out():
    labels = np.zeros((7, 5), int)
    labels[:3, 0] = labels[3:, 1] = labels[:, 2] = labels[2, 3] = 1
    embeddings = np.where(labels[:, :1], at(3), at(80)) + 1e-3
    values = query_by_example(embeddings, labels)
    # Class 2 has no negative, class 3 one positive, class 4 none.
    np.testing.assert_allclose(values, [1, 1, np.nan, np.nan, np.nan])


def test_draws_are_limited_and_repeat_with_the_seed(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "evaluate.similarity.query_by_example.pair_average_precision",
        lambda p, n: drawn.append((set(p[:, 0]), set(n[:, 0]))) or 1.0,
    )
    embeddings = np.arange(90.0)[:, None]
    labels = embeddings.astype(int) % 3 == np.arange(3)
    for seed in (0, 0, 1):
        query_by_example(embeddings, labels, 7, 11, seed)
    for number, (positives, negatives) in enumerate(drawn):
        assert len(positives) == 7 and len(negatives) == 11
        assert {value % 3 for value in positives} == {number % 3}
        assert number % 3 not in {value % 3 for value in negatives}
    assert drawn[:3] == drawn[3:6] != drawn[6:]
