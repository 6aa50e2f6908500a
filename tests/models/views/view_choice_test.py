import numpy as np
import pytest

from models.views.view_choice import choose_processor, choose_signals

UNIFORM = np.random.default_rng(1).uniform(size=(2, 30000)).astype("float32")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_processors_are_drawn_uniformly(count):
    drawn = np.bincount(choose_processor(UNIFORM[0], count), minlength=count)
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
    assert not np.any(first == second)
    pairs = np.bincount(4 * first + second, minlength=16).reshape(4, 4)
    expected = np.zeros((4, 4))
    expected[1:, 1:] = (1 - np.eye(3)) / 6
    np.testing.assert_allclose(pairs / 30000, expected, atol=0.01)


def test_the_largest_draw_stays_in_range():
    largest = np.array([np.nextafter(np.float32(1), np.float32(0))])
    assert choose_processor(largest, 3)[0] == 2
    assert choose_signals(largest, largest, "mix_vs_chan", 5)[1][0] == 5


def test_bad_comparisons_are_refused():
    with pytest.raises(ValueError, match="mix_vs_mix.*Received: both"):
        choose_signals(0.1, 0.1, "both", 2)
    with pytest.raises(ValueError, match="needs 2 .*num_channels=1"):
        choose_signals(0.1, 0.1, "chan_vs_chan", 1)
