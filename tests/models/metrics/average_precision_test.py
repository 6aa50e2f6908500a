"""Average precision against scikit-learn, stored values and arithmetic."""

import numpy as np
import pytest

from models.metrics.average_precision import (
    average_precision,
    mean_over_classes,
)
from tests.agreement import largest_difference
from tests.golden.loading import load

SOURCE = "scikit-learn, float64"
GOLDEN = load("average_precision")


@pytest.mark.parametrize("name", GOLDEN["set_names"].tolist())
def test_equals_stored_value_of_each_set(agrees, name):
    expected = GOLDEN["set_ap"][GOLDEN["set_names"].tolist().index(name)]
    value = average_precision(
        GOLDEN[f"labels_{name}"], GOLDEN[f"scores_{name}"]
    )
    if name == "no_positive":  # scikit-learn says 0 here.
        assert np.isnan(value)
    else:
        difference = largest_difference(value, expected)
        agrees("average precision, single sets", SOURCE, difference, 1e-12)


def test_equals_stored_values_over_527_classes(agrees):
    scores = GOLDEN["macro_scores_1024ths"] / np.float32(1024)
    labels = np.unpackbits(GOLDEN["macro_labels"], axis=1)[:, :527]
    values = average_precision(labels, scores)
    empty = GOLDEN["macro_empty_classes"]
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(values)), empty)
    filled = np.setdiff1d(np.arange(527), empty)
    of_all = average_precision(labels.ravel(), scores.ravel())
    for part, value, expected in (
        ("527 classes", values[filled], GOLDEN["macro_ap_per_class"][filled]),
        ("mean", mean_over_classes(values), GOLDEN["macro_map"]),
        ("all classes as one", of_all, GOLDEN["macro_micro_ap"]),
    ):
        difference = largest_difference(value, expected)
        agrees(f"average precision, {part}", SOURCE, difference, 1e-12)


def test_by_hand():
    # Ranked: hit, miss, hit, miss -> (1/1 + 2/3) / 2.
    value = average_precision([1, 0, 0, 1], [9.0, 8.0, -3.0, 2.0])
    assert value == pytest.approx(5 / 6)
    # The hit shares its score with one miss: one threshold of 2 items.
    assert average_precision([0, 1, 0], [3.0, 3.0, 1.0]) == 0.5
    infinite = average_precision([1, 0, 1], [np.inf, np.inf, -np.inf])
    assert infinite == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_empty_classes_are_left_out_of_the_mean():
    labels = np.array([[1, 0], [0, 0]])
    values = average_precision(labels, np.zeros((2, 2)))
    assert mean_over_classes(values) == 0.5
    assert np.isnan(mean_over_classes(values[1:]))


def test_refuses_nan_and_unequal_shapes():
    with pytest.raises(ValueError, match="1 NaN of 2 scores"):
        average_precision([0, 1], [0.0, np.nan])
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\)"):
        average_precision([0, 1], [0.0, 1.0, 2.0])
