"""AP, AUC and d-prime against scikit-learn, stored values and arithmetic."""

import numpy as np
import pytest

from models.metrics.average_precision import (
    average_precision,
    mean_over_classes,
)
from models.metrics.roc import area_under_roc, d_prime
from tests.agreement import largest_difference
from tests.golden.loading import load

SOURCE = "scikit-learn, float64"
GOLDEN = load("average_precision")
NAMES = GOLDEN["set_names"].tolist()


@pytest.mark.parametrize("name", NAMES)
def test_equals_stored_value_of_each_set(agrees, name):
    labels, scores = GOLDEN[f"labels_{name}"], GOLDEN[f"scores_{name}"]
    # scikit-learn says an AP of 0 where there is no positive.
    no_ap = name == "no_positive"
    for measure, part, stored in (
        (average_precision, "average precision", GOLDEN["set_ap"]),
        (area_under_roc, "AUC", GOLDEN["set_auc"]),
    ):
        value, expected = measure(labels, scores), stored[NAMES.index(name)]
        if np.isnan(expected) or (no_ap and measure is average_precision):
            assert np.isnan(value)
        else:
            difference = largest_difference(value, expected)
            agrees(f"{part}, single sets", SOURCE, difference, 1e-12)


def test_equals_stored_values_over_527_classes(agrees):
    scores = GOLDEN["macro_scores_1024ths"] / np.float32(1024)
    labels = np.unpackbits(GOLDEN["macro_labels"], axis=1)[:, :527]
    ap, auc = average_precision(labels, scores), area_under_roc(labels, scores)
    empty = np.isin(np.arange(527), GOLDEN["macro_empty_classes"])
    np.testing.assert_array_equal(np.isnan(ap), empty)
    stored = GOLDEN["macro_auc_per_class"]
    np.testing.assert_array_equal(np.isnan(auc), np.isnan(stored))
    # From the stored AUC: one of them is a rounding error below 1.
    each, of_each = d_prime(stored), GOLDEN["macro_d_prime_per_class"]
    finite = np.isfinite(each)
    np.testing.assert_array_equal(each[~finite], of_each[~finite])
    of_all = average_precision(labels.ravel(), scores.ravel())
    mean = mean_over_classes(auc)
    for part, value, expected in (
        ("AP, classes", ap[~empty], GOLDEN["macro_ap_per_class"][~empty]),
        ("AP, mean", mean_over_classes(ap), GOLDEN["macro_map"]),
        ("AP, all classes as one", of_all, GOLDEN["macro_micro_ap"]),
        ("AUC, classes", auc[~np.isnan(auc)], stored[~np.isnan(stored)]),
        ("AUC, mean", mean, GOLDEN["macro_mean_auc"]),
        ("d-prime of the mean AUC", d_prime(mean), GOLDEN["macro_d_prime"]),
        ("d-prime, classes", each[finite], of_each[finite]),
        ("d-prime, median", np.nanmedian(each), GOLDEN["macro_median_d_prime"]),
    ):
        difference = largest_difference(value, expected)
        agrees(f"{part} (527 classes)", SOURCE, difference, 1e-12)


def test_by_hand():
    # Ranked: hit, miss, hit, miss -> (1/1 + 2/3) / 2.
    value = average_precision([1, 0, 0, 1], [9.0, 8.0, -3.0, 2.0])
    assert value == pytest.approx(5 / 6)
    # The hit shares its score with one miss: one threshold of 2 items.
    assert average_precision([0, 1, 0], [3.0, 3.0, 1.0]) == 0.5
    infinite = average_precision([1, 0, 1], [np.inf, np.inf, -np.inf])
    assert infinite == pytest.approx((1 / 2 + 2 / 3) / 2)
    # Of the 4 pairs (hit, miss) 2 are right, 1 is tied: (2 + 1/2) / 4.
    assert area_under_roc([1, 1, 0, 0], [4, 2, 3, 2]) == 0.625


def test_d_prime_of_chance_certainty_and_the_unknown():
    assert d_prime(0.5) == 0
    assert d_prime(1.0) == np.inf and d_prime(0.0) == -np.inf
    assert np.isnan(d_prime(np.nan))
    # The normal quantile of 0.9 is 1.2815515655.
    assert d_prime(0.9) == pytest.approx(1.2815515655 * np.sqrt(2))


def test_empty_classes_are_left_out_of_the_mean():
    values = average_precision(np.array([[1, 0], [0, 0]]), np.zeros((2, 2)))
    assert mean_over_classes(values) == 0.5
    assert np.isnan(mean_over_classes(values[1:]))


def test_refuses_nan_and_unequal_shapes():
    with pytest.raises(ValueError, match="1 NaN of 2 scores"):
        average_precision([0, 1], [0.0, np.nan])
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\)"):
        average_precision([0, 1], [0.0, 1.0, 2.0])
