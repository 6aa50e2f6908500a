import numpy as np
import pytest

from models.views.temporal_proximity import crop_starts

UNIFORM = np.random.default_rng(2).uniform(size=(2, 50000)).astype("float32")


def test_whole_clip_makes_the_starts_independent_and_uniform():
    starts = np.stack(crop_starts(*UNIFORM, 110, 100, 10**9))
    assert starts.min() == 0 and starts.max() == 10
    for of_view in starts:
        shares = np.bincount(of_view) / 50000
        np.testing.assert_allclose(shares, 1 / 11, atol=0.01)
    assert abs(np.corrcoef(starts)[0, 1]) < 0.02


def test_views_are_at_most_the_offset_apart():
    first, second = map(np.asarray, crop_starts(*UNIFORM, 1000, 100, 7))
    distance = second - first
    assert distance.min() == -7 and distance.max() == 7
    assert second.min() >= 0 and second.max() <= 900


@pytest.mark.parametrize("max_offset", [0, 3, 8, 10**9])
def test_second_start_is_uniform_over_what_the_first_allows(max_offset):
    """Evenly spaced draws give even counts: exact, not by chance."""
    draws_a = (np.arange(11, dtype="f4") + 0.5) / 11
    draws_b = (np.arange(27720, dtype="f4") + 0.5) / 27720  # Of all divisors.
    grid = np.meshgrid(draws_a, draws_b, indexing="ij")
    first, second = map(np.asarray, crop_starts(*grid, 110, 100, max_offset))
    for start in range(11):
        np.testing.assert_array_equal(first[start], start)
        low, high = max(0, start - max_offset), min(10, start + max_offset)
        expected = np.zeros(11)
        expected[low : high + 1] = 27720 / (high + 1 - low)
        counts = np.bincount(second[start], minlength=11)
        np.testing.assert_array_equal(counts, expected)


def test_short_clips_start_at_zero():
    first, second = crop_starts(*UNIFORM, 60, 100, 5)
    assert not np.any(first) and not np.any(second)


def test_every_clip_has_its_own_length():
    lengths = np.array([100, 101, 160])
    draw = np.full(3, 0.999, "float32")
    first, _ = crop_starts(draw, draw, lengths, 100, 10**6)
    np.testing.assert_array_equal(first, [0, 1, 60])
