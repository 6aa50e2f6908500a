import numpy as np
import pytest

from evaluate.uncertainty import influence
from models.metrics.average_precision import average_precision
from models.metrics.roc import area_under_roc

MEASURES = {
    "AP": (influence.of_average_precision, average_precision),
    "AUC": (influence.of_area_under_roc, area_under_roc),
}


def cases(name):
    """Labels and scores, with ties and with few or nearly only positives."""
    for seed in range(60):
        random = np.random.default_rng([seed])
        count = random.integers(5, 40)
        labels = random.random(count) < random.choice([0.1, 0.5, 0.9])
        labels[:2], labels[2:4] = True, False
        scores = random.normal(size=count)
        if seed % 2:
            scores = np.round(scores)
        yield labels, scores


@pytest.mark.parametrize("name", MEASURES)
def test_deletion_is_the_figure_less_that_without_the_clip(name):
    of_clips, measure = MEASURES[name]
    for labels, scores in cases(name):
        found = of_clips(labels, scores)
        assert found.value == pytest.approx(measure(labels, scores), abs=1e-12)
        for clip in range(len(labels)):
            rest = np.arange(len(labels)) != clip
            without = measure(labels[rest], scores[rest])
            moved = found.value - without
            assert found.deletion[clip] == pytest.approx(moved, abs=1e-12)


@pytest.mark.parametrize("name", MEASURES)
def test_derivative_is_that_of_repeating_a_clip(name):
    """A weight of 1 + 1/m is m + 1 copies of it, beside m of the others."""
    of_clips, measure = MEASURES[name]
    copies = 4000
    for labels, scores in [*cases(name)][:6]:
        found = of_clips(labels, scores)
        assert found.derivative.sum() == pytest.approx(0, abs=1e-12)
        for clip in range(0, len(labels), 7):
            times = np.full(len(labels), copies)
            times[clip] += 1
            repeated = (np.repeat(x, times) for x in (labels, scores))
            slope = copies * (measure(*repeated) - found.value)
            assert found.derivative[clip] == pytest.approx(slope, abs=1e-3)


def test_without_its_only_positive_nothing_is_said():
    found = influence.of_average_precision(
        np.array([True, False, False]), np.array([2.0, 3.0, 1.0])
    )
    assert found.value == 0.5
    assert found.deletion.tolist() == [0, -0.5, 0]


def test_of_a_mean_by_hand():
    found = influence.of_mean(np.array([1.0, 0.0, 0.5]))
    assert found.value == 0.5
    np.testing.assert_allclose(found.derivative, [1 / 6, -1 / 6, 0])
    np.testing.assert_allclose(found.deletion, [0.25, -0.25, 0])


def test_folds_are_put_side_by_side_and_classes_on_top_of_each_other():
    a = influence.Influence(1.0, np.array([1.0, -1.0]), np.array([2.0, 0.0]))
    b = influence.Influence(0.5, np.array([0.0, 0.0]), np.array([0.0, 2.0]))
    value, derivative, deletion = influence.joined([a, b])
    assert value == 0.75
    assert derivative.tolist() == [0.5, -0.5, 0, 0]
    assert deletion.tolist() == [1, 0, 0, 1]
    value, derivative, deletion = influence.mean([a, b])
    assert (value, derivative.tolist()) == (0.75, [0.5, -0.5])
    assert influence.difference(a, b).deletion.tolist() == [2, -2]
