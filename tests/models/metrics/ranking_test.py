"""Ranking by digits against sorting in the plain way."""

import numpy as np
import pytest

from models.metrics import ranking
from models.metrics.average_precision import average_precision, precision_area
from models.metrics.roc import area_under_roc, roc_area


def plain(labels, scores):
    """Counts of each score that a relevant item has, one by one."""
    found = sorted(set(scores[labels].tolist()), reverse=True)
    return [
        (
            np.count_nonzero(labels & (scores >= score)),
            np.count_nonzero(scores >= score),
            np.count_nonzero(scores > score),
        )
        for score in found
    ]


def score_sets():
    random = np.random.default_rng(0)
    noise = random.normal(size=300)
    # The two highest digits of these are equal, the low ones not.
    near = 1 + 1e-13 * random.integers(-20, 20, 300)
    infinite = np.where(noise > 1, np.inf, np.where(noise < -1, -np.inf, 0))
    zeros = np.where(noise > 0, 0.0, -0.0)
    scales = np.exp(20 * noise) * random.choice([-1, 1], 300)
    denormal = noise * 1e-44
    integers = random.integers(-9, 9, 300)
    floats = [noise, near, infinite, zeros, scales, denormal]
    singles = [of.astype(np.float32) for of in floats]
    halves = [noise.astype(np.float16), noise > 0, integers]
    return [*floats, *singles, *halves, noise[:1], noise[:0]]


@pytest.mark.parametrize("scores", score_sets())
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 1.0])
def test_counts_equal_those_made_one_by_one(scores, share):
    labels = np.random.default_rng(1).uniform(size=len(scores)) < share
    seen = []
    ranking.of_classes(labels, scores, lambda of: seen.append(of) or 0.0)
    [ranked] = seen
    counts = np.stack(ranked[:3], axis=1)
    wanted = np.reshape(plain(labels, scores), (-1, 3))
    np.testing.assert_array_equal(counts, wanted)
    assert ranked.count == len(scores)


def test_one_sort_gives_what_each_measure_gives_alone():
    random = np.random.default_rng(2)
    # More rows and classes than are turned into columns at once.
    labels = random.uniform(size=(301, 150)) < 0.02
    scores = random.integers(-99, 99, labels.shape).astype(np.float32)
    ap, auc = ranking.of_classes(labels, scores, precision_area, roc_area)
    np.testing.assert_array_equal(ap, average_precision(labels, scores))
    np.testing.assert_array_equal(auc, area_under_roc(labels, scores))
    for number in range(150):
        column = labels[:, number], scores[:, number]
        np.testing.assert_array_equal(ap[number], average_precision(*column))
        np.testing.assert_array_equal(auc[number], area_under_roc(*column))


def test_no_class_and_no_item():
    assert average_precision(np.zeros((3, 0)), np.zeros((3, 0))).shape == (0,)
    assert np.isnan(area_under_roc(np.zeros((0, 2)), np.zeros((0, 2)))).all()
