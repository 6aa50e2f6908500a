import numpy as np
import pytest

from models.metrics.effective_rank import effective_rank


def _rows_with(singular_values, num_rows=11, seed=0):
    """Rows of mean 0 with these singular values, moved away from 0."""
    rng = np.random.default_rng(seed)
    size = len(singular_values)
    left = rng.normal(size=(num_rows, size))
    left, _ = np.linalg.qr(left - left.mean(axis=0))
    right, _ = np.linalg.qr(rng.normal(size=(size, size)))
    rows = (left * singular_values) @ right.T + rng.normal(size=size)
    return rows.astype("f4")


@pytest.mark.parametrize("used", [1, 2, 5])
def test_equal_singular_values_count_the_dimensions(used):
    rows = _rows_with([3.0] * used + [0.0] * (7 - used))
    assert float(effective_rank(rows)) == pytest.approx(used, rel=1e-4)


def test_unequal_ones_give_the_exponential_of_their_entropy():
    # Shares 1/2, 1/4, 1/4: the entropy is 1.5 log 2.
    rows = _rows_with([2.0, 1.0, 1.0])
    assert float(effective_rank(rows)) == pytest.approx(2**1.5, rel=1e-5)


def test_it_depends_neither_on_scale_nor_on_the_mean():
    rows = np.random.default_rng(0).normal(size=(9, 4)).astype("f4")
    expected = float(effective_rank(rows))
    assert 3 < expected < 4
    assert float(effective_rank(1000 * rows)) == pytest.approx(expected, 1e-5)
    assert float(effective_rank(rows + 5)) == pytest.approx(expected, 1e-4)


@pytest.mark.parametrize("value", [0.0, 0.1, 1234.5])
def test_rows_that_are_all_alike_have_rank_0(value):
    # In float32 the mean of equal numbers need not be that number.
    rows = np.full((1001, 6), value, "f4") * np.linspace(1, 2, 6, dtype="f4")
    assert float(effective_rank(rows)) == 0


def test_rows_that_are_not_finite_have_none():
    rows = np.random.default_rng(0).normal(size=(9, 4)).astype("f4")
    for fault in (np.nan, np.inf):
        rows[3, 1] = fault
        assert np.isnan(float(effective_rank(rows)))
