import numpy as np
import pytest

from models.views.spec_augment import SpecAugment


def _draws(layer, batch, seed=1):
    rng = np.random.default_rng(seed)
    return rng.uniform(size=(batch, layer.num_draws)).astype("float32")


def _patches(*shape):
    return np.random.default_rng(3).normal(size=shape).astype("float32")


def test_masks_are_uniform_in_width_and_in_where_they_fit():
    layer = SpecAugment(1, 3, 1, 2, time_warp_frames=0)
    # Random values: masked cells are those that equal the patch's mean.
    x = _patches(20000, 8, 6)
    out = np.asarray(layer(x, _draws(layer, 20000)))
    masked = out != x
    for axis, size, limit in ((2, 8, 3), (1, 6, 2)):
        inside = masked.all(axis=axis)
        width = inside.sum(axis=1)
        start = inside.argmax(axis=1)
        shares = np.bincount(width) / len(width)
        np.testing.assert_allclose(shares, [1 / (limit + 1)] * (limit + 1), 0.1)
        for one in range(1, limit + 1):
            starts = start[width == one]
            counts = np.bincount(starts)
            assert len(counts) == size - one + 1
            expected = len(starts) / len(counts)
            # Chi squared over its degrees of freedom.
            spread = np.sum((counts - expected) ** 2 / expected)
            assert spread / (len(counts) - 1) < 3
    means = np.broadcast_to(x.mean(axis=(1, 2), keepdims=True), x.shape)
    np.testing.assert_allclose(out[masked], means[masked], atol=1e-5)


@pytest.mark.parametrize("sizes", [(0, 4, 0, 3), (2, 0, 2, 0)])
def test_number_of_masks_and_their_sizes_may_be_zero(sizes):
    layer = SpecAugment(*sizes, time_warp_frames=0)
    assert layer.num_draws == 2 + 2 * (sizes[0] + sizes[2])
    x = _patches(4, 9, 5)
    np.testing.assert_array_equal(layer(x, _draws(layer, 4)), x)


def test_time_warp_keeps_the_ends_and_moves_the_middle():
    layer = SpecAugment(0, 0, 0, 0, time_warp_frames=4)
    ramp = np.broadcast_to(np.arange(40.0)[:, None], (500, 40, 2))
    out = np.asarray(layer(ramp.astype("float32"), _draws(layer, 500)))
    np.testing.assert_allclose(out[:, 0], 0, atol=1e-4)
    np.testing.assert_allclose(out[:, -1], 39, atol=1e-3)
    assert (np.diff(out, axis=1) > 0).all()
    moved = np.abs(out - ramp).max(axis=(1, 2))
    assert moved.max() < 4.01 and moved.mean() > 1
    # The middle of +-4 shifts nothing.
    x = _patches(1, 23, 5)
    still = layer(x, np.array([[0.3, 0.5]], "float32"))
    np.testing.assert_allclose(still, x, atol=1e-5)


def test_each_example_depends_on_its_own_draws_only():
    layer = SpecAugment()
    x = _patches(3, 96, 64)
    draws = _draws(layer, 3)
    whole = np.asarray(layer(x, draws))
    for k in range(3):
        alone = layer(x[k : k + 1], draws[k : k + 1])
        np.testing.assert_allclose(alone[0], whole[k], atol=1e-5)
    assert np.abs(whole - x).max(axis=(1, 2)).min() > 0.1


def test_masks_and_warp_larger_than_the_patch():
    layer = SpecAugment()
    assert np.isfinite(layer(_patches(9, 4, 5), _draws(layer, 9))).all()
