"""AUC and d-prime against scikit-learn, stored values and arithmetic."""

import numpy as np
import pytest

from models.metrics.average_precision import mean_over_classes
from models.metrics.roc import area_under_roc, d_prime
from tests.agreement import largest_difference
from tests.golden.loading import load

SOURCE = "scikit-learn, float64"
GOLDEN = load("average_precision")


@pytest.mark.parametrize("name", GOLDEN["set_names"].tolist())
def test_equals_stored_value_of_each_set(agrees, name):
    expected = GOLDEN["set_auc"][GOLDEN["set_names"].tolist().index(name)]
    value = area_under_roc(GOLDEN[f"labels_{name}"], GOLDEN[f"scores_{name}"])
    if np.isnan(expected):
        assert np.isnan(value)
    else:
        difference = largest_difference(value, expected)
        agrees("AUC, single sets", SOURCE, difference, 1e-12)


def test_equals_stored_values_over_527_classes(agrees):
    scores = GOLDEN["macro_scores_1024ths"] / np.float32(1024)
    labels = np.unpackbits(GOLDEN["macro_labels"], axis=1)[:, :527]
    values = area_under_roc(labels, scores)
    stored = GOLDEN["macro_auc_per_class"]
    filled = ~np.isnan(stored)
    np.testing.assert_array_equal(~np.isnan(values), filled)
    # From the stored AUC: one of them is a rounding error below 1.
    each = d_prime(stored)
    finite = np.isfinite(each)
    np.testing.assert_array_equal(
        each[~finite], GOLDEN["macro_d_prime_per_class"][~finite]
    )
    mean = mean_over_classes(values)
    of_finite = GOLDEN["macro_d_prime_per_class"][finite]
    for part, value, expected in (
        ("AUC of 527 classes", values[filled], stored[filled]),
        ("AUC, mean", mean, GOLDEN["macro_mean_auc"]),
        ("d-prime of the mean AUC", d_prime(mean), GOLDEN["macro_d_prime"]),
        ("d-prime of 527 classes", each[finite], of_finite),
        ("d-prime, median", np.nanmedian(each), GOLDEN["macro_median_d_prime"]),
    ):
        difference = largest_difference(value, expected)
        agrees(part, SOURCE, difference, 1e-12)


def test_by_hand():
    # Of the 4 pairs (hit, miss) 2 are right, 1 is tied: (2 + 1/2) / 4.
    assert area_under_roc([1, 1, 0, 0], [4, 2, 3, 2]) == 0.625


def test_d_prime_of_chance_certainty_and_the_unknown():
    assert d_prime(0.5) == 0
    assert d_prime(1.0) == np.inf and d_prime(0.0) == -np.inf
    assert np.isnan(d_prime(np.nan))
    # The normal quantile of 0.9 is 1.2815515655.
    assert d_prime(0.9) == pytest.approx(1.2815515655 * np.sqrt(2))
