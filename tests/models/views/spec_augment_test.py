import numpy as np
import pytest

from models.views.spec_augment import SpecAugment


def _draws(layer, batch, seed=1):
    rng = np.random.default_rng(seed)
    return rng.uniform(size=(batch, layer.num_draws)).astype("float32")


def _masks_only(**kwargs):
    return SpecAugment(time_warp_frames=0, **kwargs)


def test_mask_widths_are_uniform_up_to_their_limit():
    layer = _masks_only(
        time_masks=1, time_mask_frames=5, freq_masks=1, freq_mask_bands=3
    )
    # Random values: masked cells are those that equal the patch's mean.
    x = np.random.default_rng(3).normal(size=(6000, 17, 13)).astype("float32")
    out = np.asarray(layer(x, _draws(layer, 6000)))
    masked = out != x
    frames = masked.all(axis=2).sum(axis=1)
    bands = masked.all(axis=1).sum(axis=1)
    for widths, limit in ((frames, 5), (bands, 3)):
        shares = np.bincount(widths, minlength=limit + 1) / 6000
        np.testing.assert_allclose(shares, 1 / (limit + 1), atol=0.02)
    filled = np.where(masked, out, np.nan)[masked.any(axis=(1, 2))]
    means = x.mean(axis=(1, 2))[masked.any(axis=(1, 2))]
    np.testing.assert_allclose(np.nanmax(filled, axis=(1, 2)), means, atol=1e-5)
    np.testing.assert_allclose(np.nanmin(filled, axis=(1, 2)), means, atol=1e-5)


def test_masks_reach_both_edges_and_are_contiguous():
    layer = _masks_only(time_masks=1, time_mask_frames=5, freq_masks=0)
    x = np.random.default_rng(3).normal(size=(4000, 11, 3)).astype("float32")
    masked = (np.asarray(layer(x, _draws(layer, 4000))) != x).all(axis=2)
    changes = np.abs(np.diff(np.pad(masked, [[0, 0], [1, 1]]).astype(int)))
    assert changes.sum(axis=1).max() == 2
    assert masked[:, 0].any() and masked[:, -1].any()


def test_starts_of_a_mask_are_uniform_over_what_fits():
    layer = _masks_only(
        time_masks=1, time_mask_frames=3, freq_masks=1, freq_mask_bands=2
    )
    x = np.random.default_rng(3).normal(size=(20000, 8, 6)).astype("f4")
    masked = np.asarray(layer(x, _draws(layer, 20000))) != x
    for axis, size, limit in ((2, 8, 3), (1, 6, 2)):
        inside = masked.all(axis=axis)
        width = inside.sum(axis=1)
        start = inside.argmax(axis=1)
        for one in range(1, limit + 1):
            starts = start[width == one]
            counts = np.bincount(starts)
            assert len(counts) == size - one + 1
            expected = len(starts) / len(counts)
            # Chi squared over its degrees of freedom.
            spread = np.sum((counts - expected) ** 2 / expected)
            assert spread / (len(counts) - 1) < 3


def test_masks_of_two_views_and_two_examples_are_independent():
    layer = _masks_only(time_masks=1, time_mask_frames=4, freq_masks=0)
    x = np.random.default_rng(3).normal(size=(8000, 9, 5)).astype("f4")
    masked = (np.asarray(layer(x, _draws(layer, 8000))) != x).all(axis=2)
    width = masked.sum(axis=1)
    assert abs(np.corrcoef(width[::2], width[1::2])[0, 1]) < 0.05


def test_number_of_masks_and_their_sizes_may_be_zero():
    x = np.random.default_rng(3).normal(size=(4, 9, 5)).astype("f4")
    for sizes in ((0, 4, 0, 3), (2, 0, 2, 0)):
        layer = _masks_only(
            **dict(
                zip(
                    (
                        "time_masks",
                        "time_mask_frames",
                        "freq_masks",
                        "freq_mask_bands",
                    ),
                    sizes,
                    strict=True,
                )
            )
        )
        assert layer.num_draws == 2 + 2 * (sizes[0] + sizes[2])
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


def test_no_shift_leaves_the_patch():
    layer = SpecAugment(0, 0, 0, 0, time_warp_frames=4)
    draws = np.array([[0.3, 0.5]], "float32")  # 0.5: the middle of +-4.
    x = np.random.default_rng(1).normal(size=(1, 23, 5)).astype("float32")
    np.testing.assert_allclose(layer(x, draws), x, atol=1e-5)


def test_each_example_depends_on_its_own_draws_only():
    layer = SpecAugment()
    x = np.random.default_rng(1).normal(size=(3, 96, 64)).astype("float32")
    draws = _draws(layer, 3)
    whole = np.asarray(layer(x, draws))
    for k in range(3):
        alone = layer(x[k : k + 1], draws[k : k + 1])
        np.testing.assert_allclose(alone[0], whole[k], atol=1e-5)
    assert np.abs(whole - x).max(axis=(1, 2)).min() > 0.1


def test_config_round_trip():
    layer = SpecAugment(1, 2, 3, 4, 5, name="a")
    assert SpecAugment.from_config(layer.get_config()).num_draws == (
        layer.num_draws
    )
    assert layer.num_draws == 10


@pytest.mark.parametrize("frames", [4, 7])
def test_masks_and_warp_larger_than_the_patch(frames):
    layer = SpecAugment()
    x = np.random.default_rng(1).normal(size=(9, frames, 5)).astype("float32")
    assert np.isfinite(layer(x, _draws(layer, 9))).all()
