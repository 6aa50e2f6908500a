import numpy as np
import pytest

from evaluate.uncertainty import influence, interval, paired_test
from evaluate.uncertainty.paired_test import Scored, swap_test, t_test
from models.metrics.average_precision import average_precision
from tests.evaluate.uncertainty.simulated_runs import mean_ap, simulate

SETTINGS = {
    "single label": (80, 10, True, 1, 2.5),
    "several labels": (300, 6, False, 1, 1.5),
    "three clips a recording": (300, 6, False, 3, 1.5),
}


def false_positives(name, trials):
    """How often equal models are said to differ."""
    found = []
    for seed in range(trials):
        labels, a, b, recordings = simulate(seed, *SETTINGS[name])
        p = swap_test([Scored(labels, a, b, recordings)], seed)
        found.append(p <= 0.05)
    return np.mean(found)


@pytest.fixture
def few_swaps(monkeypatch):
    monkeypatch.setattr(paired_test, "_MOST", 199)


@pytest.mark.long
@pytest.mark.parametrize("name", SETTINGS)
def test_false_positives_in_2000_trials(name, few_swaps):
    assert false_positives(name, 2000) == pytest.approx(0.05, abs=0.015)


@pytest.mark.long
def test_near_a_perfect_figure_the_test_is_cautious(few_swaps, monkeypatch):
    """Differences take few values there, and equal ones count as chance."""
    monkeypatch.setitem(SETTINGS, "strong", (80, 10, True, 1, 4.0))
    assert 0.01 < false_positives("strong", 1000) < 0.05


def test_false_positives_roughly(few_swaps):
    assert false_positives("single label", 200) == pytest.approx(0.05, abs=0.04)


@pytest.mark.long
@pytest.mark.parametrize("difference", [0.0, 0.5, 1.5])
def test_interval_of_the_effect_covers_it_in_2000_trials(difference):
    found = []
    for seed in range(2000):
        labels, a, b, recordings = simulate(
            seed, 80, 10, True, 1, 2.5, difference
        )
        moved = influence.difference(mean_ap(labels, a), mean_ap(labels, b))
        found.append([moved.value, *interval.of_difference(moved, recordings)])
    values, low, high = np.array(found).T
    covered = np.mean((low <= values.mean()) & (values.mean() <= high))
    assert covered == pytest.approx(0.95, abs=0.02)


def test_a_clear_difference_is_found_and_a_swap_of_names_changes_nothing():
    labels, a, b, recordings = simulate(0, *SETTINGS["single label"], 1.0)
    p = swap_test([Scored(labels, a, b, recordings)])
    assert p < 0.01
    assert swap_test([Scored(labels, b, a, recordings)]) == p
    # Only order counts.
    assert swap_test([Scored(labels, a**3, np.log(b), recordings)]) == p


def test_swapped_differences_are_those_of_swapped_scores():
    """Ties and clips of one recording included; by the plain mAP."""
    random = np.random.default_rng(0)
    labels = random.random((30, 3)) < 0.3
    # The same values in both, so that their ranks are the values' own.
    a = np.stack([random.permutation(30) // 3 for _ in range(3)], axis=1)
    b = np.stack([random.permutation(30) // 3 for _ in range(3)], axis=1)
    swapped = random.random((20, 10)) < 0.5
    swapped = swapped[:, np.repeat(np.arange(10), 3)]
    part = Scored(labels, a, b, np.repeat(np.arange(10), 3))
    wanted = [
        np.mean(
            average_precision(labels, np.where(row[:, None], b, a))
            - average_precision(labels, np.where(row[:, None], a, b))
        )
        for row in swapped
    ]
    found = paired_test._differences(part, swapped)
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_t_test_of_means_is_students():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 400))
    moved = influence.difference(influence.of_mean(a), influence.of_mean(b))
    from scipy import stats

    wanted = stats.ttest_rel(a, b).pvalue
    assert t_test(moved, np.arange(400)) == pytest.approx(wanted, abs=2e-3)
    nothing = influence.difference(influence.of_mean(a), influence.of_mean(a))
    assert t_test(nothing, np.arange(400)) == 1
