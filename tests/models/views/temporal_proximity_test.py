import numpy as np

from models.views.temporal_proximity import first_start, second_start

UNIFORM = np.random.default_rng(2).uniform(size=(2, 50000)).astype("float32")


def _starts(num_samples, view_samples, max_offset):
    first = first_start(UNIFORM[0], num_samples, view_samples)
    second = second_start(
        UNIFORM[1], first, num_samples, view_samples, max_offset
    )
    return np.stack([first, second])


def test_whole_clip_makes_the_starts_independent_and_uniform():
    starts = _starts(110, 100, 10**9)
    assert starts.min() == 0 and starts.max() == 10
    for of_view in starts:
        shares = np.bincount(of_view) / 50000
        np.testing.assert_allclose(shares, 1 / 11, atol=0.01)
    assert abs(np.corrcoef(starts)[0, 1]) < 0.02


def test_views_are_at_most_the_offset_apart():
    first, second = _starts(1000, 100, 7)
    distance = second - first
    assert distance.min() == -7 and distance.max() == 7
    assert second.min() >= 0 and second.max() <= 900


def test_short_clips_start_at_zero():
    assert not np.any(_starts(60, 100, 5))


def test_every_clip_has_its_own_length():
    lengths = np.array([100, 101, 160])
    draw = np.full(3, 0.999, "float32")
    starts = first_start(draw, lengths, 100)
    np.testing.assert_array_equal(starts, [0, 1, 60])
