"""The interval and the paired test of query by example, by simulation."""

import numpy as np
import pytest

from evaluate.similarity import query_by_example
from evaluate.uncertainty import influence, interval
from evaluate.uncertainty.influence import Influence
from evaluate.uncertainty.paired_test import t_test

CLIPS, CLASSES, DIM = 80, 10, 8


def mean_ap(embeddings, labels):
    found = []
    for drawn in query_by_example.draws(labels, 100, 100, seed=0):
        value, *of_drawn = query_by_example.pair_influence(
            embeddings[drawn.positives], embeddings[drawn.negatives]
        )
        clips = np.concatenate([drawn.positives, drawn.negatives])
        owed = np.zeros((2, CLIPS))
        owed[:, clips] = of_drawn
        found.append(Influence(value, *owed))
    return influence.mean(found)


@pytest.mark.long
def test_coverage_and_false_positives():
    random = np.random.default_rng(3)
    centers = random.normal(size=(CLASSES, DIM))
    found, told = [], []
    for _ in range(1000):
        of_clip = random.integers(0, CLASSES, CLIPS)
        common, *own = random.normal(size=(3, CLIPS, DIM))
        # Two models that are equally good.
        a, b = (
            mean_ap(
                centers[of_clip] + (common + noise) / np.sqrt(2),
                of_clip[:, None] == np.arange(CLASSES),
            )
            for noise in own
        )
        clips = np.arange(CLIPS)
        found.append([a.value, *interval.of_share(a, clips)])
        told.append(t_test(influence.difference(a, b), clips) <= 0.05)
    values, low, high = np.array(found).T
    covered = np.mean((low <= values.mean()) & (values.mean() <= high))
    assert covered == pytest.approx(0.95, abs=0.02)
    assert np.mean(told) == pytest.approx(0.05, abs=0.015)
