"""AUC and d-prime against scikit-learn, stored values and arithmetic."""

import pathlib

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from models.metrics.average_precision import mean_over_classes
from models.metrics.roc import area_under_roc, d_prime

GOLDEN = np.load(
    pathlib.Path(__file__).parents[2] / "golden" / "average_precision.npz"
)


@pytest.mark.parametrize("name", GOLDEN["set_names"].tolist())
def test_equals_stored_value_of_each_set(name):
    expected = GOLDEN["set_auc"][GOLDEN["set_names"].tolist().index(name)]
    value = area_under_roc(GOLDEN[f"labels_{name}"], GOLDEN[f"scores_{name}"])
    np.testing.assert_allclose(value, expected, atol=1e-12, equal_nan=True)


def test_equals_stored_values_over_527_classes():
    scores = GOLDEN["macro_scores_1024ths"] / np.float32(1024)
    labels = np.unpackbits(GOLDEN["macro_labels"], axis=1)[:, :527]
    values = area_under_roc(labels, scores)
    np.testing.assert_allclose(
        values, GOLDEN["macro_auc_per_class"], atol=1e-12, equal_nan=True
    )
    # From the stored AUC: one of them is a rounding error below 1.
    np.testing.assert_allclose(
        d_prime(GOLDEN["macro_auc_per_class"]),
        GOLDEN["macro_d_prime_per_class"],
        atol=1e-9,
    )
    mean = mean_over_classes(values)
    assert mean == pytest.approx(float(GOLDEN["macro_mean_auc"]), abs=1e-12)
    assert d_prime(mean) == pytest.approx(float(GOLDEN["macro_d_prime"]))


def test_by_hand():
    # Of the 4 pairs (hit, miss) 2 are right, 1 is tied: (2 + 1/2) / 4.
    assert area_under_roc([1, 1, 0, 0], [4, 2, 3, 2]) == 0.625


def test_equals_scikit_learn_with_ties():
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, (53, 7))
    scores = random.integers(0, 5, (53, 7))
    expected = [roc_auc_score(labels[:, i], scores[:, i]) for i in range(7)]
    np.testing.assert_allclose(
        area_under_roc(labels, scores), expected, atol=1e-12
    )


def test_d_prime_of_chance_certainty_and_the_unknown():
    assert d_prime(0.5) == 0
    assert d_prime(1.0) == np.inf and d_prime(0.0) == -np.inf
    assert np.isnan(d_prime(np.nan))
    # The normal quantile of 0.9 is 1.2815515655.
    assert d_prime(0.9) == pytest.approx(1.2815515655 * np.sqrt(2))
