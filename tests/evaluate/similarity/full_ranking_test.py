import numpy as np
import pytest

from evaluate.similarity import full_ranking
from evaluate.similarity.nearest_neighbors import unit_rows
from evaluate.similarity.query_by_example import (
    pair_average_precision,
    pair_influence,
    query_by_example,
)
from models.metrics.average_precision import chance_average_precision


def cosine(a, b):
    return float(np.round(a @ b / np.linalg.norm(a) / np.linalg.norm(b), 12))


def ap_of(ranked):
    """Of (score, is right), ties as one threshold, by counting."""
    ap, right = 0.0, sum(hit for _, hit in ranked)
    for score, hit in ranked:
        if hit:
            above = [other for value, other in ranked if value >= score]
            ap += sum(above) / len(above) / right
    return ap


@pytest.mark.parametrize("seed", range(50))
def test_equals_three_loops(seed):
    random = np.random.default_rng(seed)
    clips = int(random.integers(6, 16))
    # On a grid, so that there are ties.
    vectors = random.integers(-1, 2, (clips, 3)) + 0.25
    labels = random.random((clips, 3)) < 0.4
    recordings = random.integers(0, 2 * clips, clips)
    top = int(random.integers(1, 6))
    pairs = query_by_example(vectors, labels)
    for number in range(3):
        has = labels[:, number]
        ranked = []
        for i in range(clips):
            for j in range(clips):
                if has[i] and (not has[j] or j > i):
                    score = cosine(vectors[i], vectors[j])
                    ranked.append((score, bool(has[j])))
        if 2 <= has.sum() < clips:
            assert pairs[number] == pytest.approx(ap_of(ranked), abs=1e-9)
        else:
            assert np.isnan(pairs[number])
        aps, precisions = [], []
        for i in range(clips):
            others = [
                (cosine(vectors[i], vectors[j]), bool(has[j]))
                for j in range(clips)
                if recordings[j] != recordings[i]
            ]
            if has[i] and any(hit for _, hit in others):
                aps.append(ap_of(others))
                precisions.append(expected_precision(others, top))
        found = full_ranking.rank_class(
            unit_rows(vectors), has, recordings, np.flatnonzero(has), top
        )
        if not aps:
            assert found is None
            continue
        assert found.ap.value == pytest.approx(np.mean(aps), abs=1e-9)
        assert found.precision.value == pytest.approx(np.mean(precisions))


def expected_precision(ranked, top):
    """Over the orders of tied items, by taking each place's mean."""
    top = min(top, len(ranked))
    hits = []
    for value in sorted({score for score, _ in ranked}, reverse=True):
        tied = [hit for score, hit in ranked if score == value]
        hits += len(tied) * [np.mean(tied)]
    return np.mean(hits[:top])


def test_chance_is_the_mean_over_all_orders():
    random = np.random.default_rng(0)
    relevant = np.arange(12) < 4
    found = [
        ap_of([*zip(random.permutation(12), relevant, strict=True)])
        for _ in range(4000)
    ]
    chance = chance_average_precision(4, 12)
    assert chance == pytest.approx(np.mean(found), abs=0.01)
    # The slides' pairs of 100 and 100 clips.
    assert chance_average_precision(4950, 14950) == pytest.approx(
        0.3315, abs=5e-4
    )
    assert chance_average_precision(1, 1) == 1


def test_what_pairs_owe_to_a_clip_is_the_slope_when_it_is_repeated():
    """Of weights on clips, which multiply in pairs."""
    random = np.random.default_rng(0)
    positives, negatives = random.normal(size=(2, 5, 3))
    negatives = negatives[:4]
    found = pair_influence(positives, negatives)
    assert found.derivative.sum() == pytest.approx(0, abs=1e-12)
    ranked = [
        (cosine(positives[i], other), k)
        for i in range(5)
        for k, other in enumerate(np.concatenate([positives, negatives]))
        if k > i
    ]
    pairs = [(i, k) for i in range(5) for k in range(9) if k > i]

    def weighted(weights):
        ap, total = 0.0, 0.0
        for (score, k), (i, _) in zip(ranked, pairs, strict=True):
            if k < 5:
                above = [
                    (weights[a] * weights[b], b < 5)
                    for (other, _), (a, b) in zip(ranked, pairs, strict=True)
                    if other >= score
                ]
                hits = sum(w for w, right in above if right)
                weight = weights[i] * weights[k]
                ap += weight * hits / sum(w for w, _ in above)
                total += weight
        return ap / total

    assert found.value == pytest.approx(weighted(np.ones(9)))
    for clip in range(9):
        step = np.zeros(9)
        step[clip] = 1e-6
        slope = (weighted(1 + step) - weighted(1 - step)) / 2e-6
        assert found.derivative[clip] == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("positives, negatives", [(5, 4), (3, 1), (2, 6)])
def test_deletion_is_the_figure_less_that_without_the_clip(
    positives, negatives
):
    random = np.random.default_rng(positives)
    # On a grid, so that there are ties.
    vectors = random.integers(-2, 3, (positives + negatives, 3)) + 0.25
    found = pair_influence(vectors[:positives], vectors[positives:])
    value = pair_average_precision(vectors[:positives], vectors[positives:])
    assert found.value == pytest.approx(value, abs=1e-12)
    for clip in range(positives + negatives):
        rest = np.delete(vectors, clip, axis=0)
        left = positives - (clip < positives)
        if left < 2:
            without = value
        elif left == len(rest):
            without = 1.0
        else:
            without = pair_average_precision(rest[:left], rest[left:])
        assert found.deletion[clip] == pytest.approx(value - without, abs=1e-12)
