import numpy as np
import pytest
from scipy import stats

from evaluate.uncertainty import influence, interval
from tests.evaluate.uncertainty.simulated_runs import mean_ap, simulate

# What is simulated: (clips, classes, whether a clip has one, clips of a
# recording, strength).
SETTINGS = {
    "single label": (80, 10, True, 1, 2.5),
    "weak": (80, 10, True, 1, 1.0),
    "four folds' clips": (320, 10, True, 1, 2.5),
    "several labels": (300, 6, False, 1, 1.5),
    "two clips a recording": (600, 6, False, 2, 1.5),
}


def coverage(name, trials):
    """How often the interval of mAP has the mean of all trials in it."""
    found = []
    for seed in range(trials):
        labels, scores, _, recordings = simulate(seed, *SETTINGS[name])
        of_clips = mean_ap(labels, scores)
        found.append([of_clips.value, *interval.of_share(of_clips, recordings)])
    values, low, high = np.array(found).T
    return np.mean((low <= values.mean()) & (values.mean() <= high))


@pytest.mark.long
@pytest.mark.parametrize("name", SETTINGS)
def test_coverage_in_2000_trials(name):
    assert coverage(name, 2000) == pytest.approx(0.95, abs=0.02)


def test_coverage_roughly():
    assert coverage("single label", 200) == pytest.approx(0.95, abs=0.04)


def test_coverage_of_shares_and_of_repetitions():
    """Of accuracy, and of the mean over seeds."""
    random = np.random.default_rng(0)
    hits, of_seeds = [], []
    for _ in range(2000):
        right = (random.random(80) < 0.8).astype(float)
        low, high = interval.of_share(influence.of_mean(right), np.arange(80))
        hits.append(low <= 0.8 <= high)
        low, high = interval.of_repetitions(random.normal(size=4))
        of_seeds.append(low <= 0 <= high)
    assert np.mean(hits) == pytest.approx(0.95, abs=0.02)
    assert np.mean(of_seeds) == pytest.approx(0.95, abs=0.02)


def test_spread_of_a_mean_is_the_standard_error():
    values = np.random.default_rng(0).normal(size=5000)
    of_mean = influence.of_mean(values)
    error, freedom = interval.spread(of_mean, np.arange(5000))
    assert error == pytest.approx(stats.sem(values), rel=1e-3)
    # Of normal values: as many as there are, nearly.
    assert freedom == pytest.approx(4999, rel=0.1)


def test_clips_of_a_recording_are_one():
    values = np.random.default_rng(0).normal(size=50)
    once = interval.spread(influence.of_mean(values), np.arange(50))
    twice = interval.spread(
        influence.of_mean(np.repeat(values, 2)), np.repeat(np.arange(50), 2)
    )
    assert twice.error == pytest.approx(once.error, rel=0.02)
    alone = interval.spread(
        influence.of_mean(np.repeat(values, 2)), np.arange(100)
    )
    assert alone.error < 0.75 * twice.error


def test_a_perfect_figure_has_the_interval_of_a_share():
    perfect = influence.of_mean(np.ones(20))
    low, high = interval.of_share(perfect, np.arange(20))
    exact = stats.binomtest(20, 20).proportion_ci(0.95, "exact")
    assert (low, high) == pytest.approx((exact.low, exact.high))
    low, high = interval.of_share(
        influence.of_mean(np.zeros(20)), np.arange(20)
    )
    assert (low, high) == pytest.approx((0, 1 - exact.low))
