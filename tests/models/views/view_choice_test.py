import numpy as np
import pytest

from models.views.view_choice import (
    choose,
    choose_signals,
    crop_starts,
    replace_silent,
)

UNIFORM = np.random.default_rng(1).uniform(size=(2, 30000)).astype("float32")


@pytest.mark.parametrize("count", [1, 3])
def test_processors_are_drawn_uniformly(count):
    drawn = np.bincount(choose(UNIFORM[0], count), minlength=count)
    assert len(drawn) == count
    np.testing.assert_allclose(drawn / 30000, 1 / count, atol=0.01)


def test_mix_vs_mix_takes_the_mixture_twice():
    first, second = choose_signals(*UNIFORM, "mix_vs_mix", 0)
    assert not np.any(first) and not np.any(second)


def test_mix_vs_chan_takes_any_channel():
    first, second = choose_signals(*UNIFORM, "mix_vs_chan", 3)
    assert not np.any(first)
    drawn = np.bincount(second, minlength=4) / 30000
    np.testing.assert_allclose(drawn, [0, 1 / 3, 1 / 3, 1 / 3], atol=0.01)


def test_chan_vs_chan_takes_two_different_channels():
    first, second = map(np.asarray, choose_signals(*UNIFORM, "chan_vs_chan", 3))
    pairs = np.bincount(4 * first + second, minlength=16).reshape(4, 4)
    expected = np.zeros((4, 4))
    expected[1:, 1:] = (1 - np.eye(3)) / 6
    np.testing.assert_allclose(pairs / 30000, expected, atol=0.01)
    assert not np.any(first == second)


def test_the_largest_draw_stays_in_range():
    largest = np.array([np.nextafter(np.float32(1), np.float32(0))])
    assert choose(largest, 3)[0] == 2
    assert choose_signals(largest, largest, "mix_vs_chan", 5)[1][0] == 5
    for last in (6, 2**20 + 1, 2**24 - 1):
        assert crop_starts(largest, largest, last + 5, 5, 9)[0][0] == last


def test_bad_comparisons_are_refused():
    with pytest.raises(ValueError, match="mix_vs_mix.*Received: both"):
        choose_signals(0.1, 0.1, "both", 2)
    with pytest.raises(ValueError, match="needs 2 .*num_channels=1"):
        choose_signals(0.1, 0.1, "chan_vs_chan", 1)


@pytest.mark.parametrize("max_offset", [0, 3, 10**9])
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


def test_every_clip_has_its_own_length_and_short_ones_start_at_zero():
    draw = np.full(4, 0.999, "float32")
    lengths = np.array([60, 100, 101, 160])
    for starts in crop_starts(draw, draw, lengths, 100, 10**6):
        np.testing.assert_array_equal(starts, [0, 0, 1, 60])


def test_only_silent_views_are_replaced():
    mixture = np.full((3, 10), 0.5, "float32")
    level = 10 ** (-60 / 20)
    view = np.array([[0.0], [0.9 * level], [1.1 * level]], "float32")
    view = np.repeat(view, 10, axis=1)
    out = np.asarray(replace_silent(view, mixture, -60))
    np.testing.assert_array_equal(out[:2], mixture[:2])
    np.testing.assert_array_equal(out[2], view[2])
