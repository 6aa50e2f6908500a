import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from data.shards.record_index import RecordIndex
from models.separation.separator import Separator
from tests.train.small_shards import (
    assert_shares_make_the_whole,
    noise_clips,
    write_shards,
)
from train.contrastive import view_pipeline
from train.contrastive.on_the_fly import OnTheFlyViews
from train.contrastive.view_pipeline import (
    AUGMENT,
    NOISE,
    POSITIVE,
    VIEWS,
    ViewSpec,
)

VIEW = 150
CLIP = 400
LEVELS = {"P": (0.25, 0.375), "Q": (0.5, 0.75)}


def _spec(**changes):
    spec = ViewSpec(
        comparison="mix_vs_chan",
        processors=("P", "Q"),
        num_channels=2,
        view_samples=VIEW,
        max_offset_samples=10**6,
        silence_db=-120.0,
        augment_draws=3,
    )
    return dataclasses.replace(spec, **changes)


@pytest.fixture(scope="module")
def labeled_signals(tmp_path_factory):
    """Clips whose samples tell signal (sign and level) and time (slope)."""
    ramp = np.arange(CLIP) / 2**15
    clips = [-0.5 + ramp] * 6
    channels = {
        name: [np.stack([level + ramp for level in levels])] * 6
        for name, levels in LEVELS.items()
    }
    folder = tmp_path_factory.mktemp("signals")
    return write_shards(folder, clips, channels)


def _batches(info, *arguments, **options):
    """Without what is told about reading them."""
    return view_pipeline.batches(
        RecordIndex.of(info, ("train",)), *arguments, **options
    ).map(lambda batch, read_status: batch)


def _views(info, spec, batches=60):
    dataset = _batches(info, spec, 5, 3)
    return np.concatenate(
        [b[VIEWS] for b in dataset.take(batches).as_numpy_iterator()]
    )


def _drawn(info, seed=3, start_step=0, clip_samples=None, context=None):
    """Batches with all the numbers that there are: of eight, for a triplet."""
    return view_pipeline.batches(
        RecordIndex.of(info, ("train",)),
        _spec(triplet_patch=(7, 11)),
        8,
        seed,
        start_step,
        context,
        clip_samples,
    )


@pytest.fixture(scope="module")
def drawn(labeled_signals):
    """Samples of a clip, or None for views -> the first batches."""
    return {
        clip_samples: list(
            _drawn(labeled_signals, clip_samples=clip_samples)
            .take(20)
            .as_numpy_iterator()
        )
        for clip_samples in (None, CLIP)
    }


def _levels(views):
    """Level of the signal each view was cut from, and its start."""
    first = views[..., 0]
    known = np.array([-0.5, *LEVELS["P"], *LEVELS["Q"]])
    level = known[np.argmin(np.abs(first[..., None] - known - 0.006), -1)]
    return level, np.round((first - level) * 2**15).astype(int)


def test_views_are_the_mixture_and_any_channel_of_any_processor(
    labeled_signals,
):
    views = _views(labeled_signals, _spec())
    level, start = _levels(views)
    assert np.all(level[:, 0] == -0.5)
    values, counts = np.unique(level[:, 1], return_counts=True)
    np.testing.assert_array_equal(values, [0.25, 0.375, 0.5, 0.75])
    np.testing.assert_allclose(counts / 300, 0.25, atol=0.08)
    # Each view is one contiguous piece of one signal.
    np.testing.assert_allclose(np.diff(views, axis=-1), 2**-15, atol=1e-7)
    assert start.min() >= 0 and start.max() <= CLIP - VIEW
    assert np.ptp(start[:, 0]) > 200 and np.ptp(start[:, 1]) > 200


def test_chan_vs_chan_takes_both_from_one_named_processor(labeled_signals):
    for processors in (("P", "Q"), ("Q",)):
        spec = _spec(comparison="chan_vs_chan", processors=processors)
        level, _ = _levels(_views(labeled_signals, spec))
        pairs = {tuple(sorted(pair)) for pair in level.tolist()}
        assert pairs == {LEVELS[name] for name in processors}


def test_views_are_at_most_the_offset_apart(labeled_signals):
    _, start = _levels(_views(labeled_signals, _spec(max_offset_samples=9)))
    distance = start[:, 1] - start[:, 0]
    assert np.abs(distance).max() == 9


def test_silent_channels_give_way_to_the_mixture(tmp_path):
    clips = noise_clips(4, CLIP)
    channels = {"P": [np.stack([0 * clip, clip]) for clip in clips]}
    info = write_shards(tmp_path, clips, channels)
    spec = _spec(processors=("P",), max_offset_samples=0, silence_db=-70.0)
    views = _views(info, spec)
    # Here channel 2 is the mixture: whatever is drawn, so is the view.
    np.testing.assert_array_equal(views[:, 0], views[:, 1])
    views = _views(info, dataclasses.replace(spec, silence_db=-500.0))
    assert 0.3 < np.mean(~np.any(views[:, 1], axis=-1)) < 0.7


def test_short_clips_are_padded_with_zeros(tmp_path):
    clips = noise_clips(2, 100)
    info = write_shards(tmp_path, clips)
    spec = _spec(comparison="mix_vs_mix", processors=(), num_channels=0)
    views = _views(info, spec, batches=1)
    assert np.all(np.any(views[..., :100], axis=-1))
    assert not np.any(views[..., 100:])


def test_no_two_numbers_of_a_batch_are_the_same(drawn):
    """Of SpecAugment and of a triplet, in both kinds of batch, any epoch."""
    normal = []
    for (batch, _), (clips, _) in zip(drawn[None], drawn[CLIP], strict=True):
        for name in (AUGMENT, POSITIVE, NOISE):
            np.testing.assert_array_equal(batch[name], clips[name])
        uniform = [batch[AUGMENT].ravel(), batch[POSITIVE].ravel()]
        uniform.append(clips[view_pipeline.DRAWS].ravel())
        uniform = np.concatenate(uniform)
        assert uniform.size == len(np.unique(uniform)) == 8 * (6 + 4 + 5)
        assert uniform.min() >= 0 and uniform.max() < 1
        assert batch[NOISE].shape == (8, 7, 11)
        normal.append(batch[NOISE])
    normal = np.concatenate(normal)  # (160, 7, 11)
    assert len(np.unique(normal)) > 0.99 * normal.size
    assert abs(normal.mean()) < 0.05 and abs(normal.std() - 1) < 0.05
    # Not the bits of the uniform numbers once more.
    first = normal[-8:].reshape(8, -1)[:, :4].ravel()
    assert abs(np.corrcoef(first, batch[POSITIVE].ravel())[0, 1]) < 0.9


def test_numbers_follow_the_seed_and_the_position(labeled_signals, drawn):
    def batches(**changes):
        dataset = _drawn(labeled_signals, **changes)
        return [batch for batch, _ in dataset.take(4).as_numpy_iterator()]

    first = [batch for batch, _ in drawn[None][:4]]
    other, later = batches(seed=4), batches(start_step=2)
    for name in (VIEWS, AUGMENT, POSITIVE, NOISE):
        for k in range(4):
            assert np.any(first[k][name] != other[k][name])
        np.testing.assert_array_equal(first[2][name], later[0][name])
        np.testing.assert_array_equal(first[3][name], later[1][name])


def test_on_the_fly_equals_separated_beforehand(tmp_path):
    clips = noise_clips(6, 4000)
    # Dilated by up to 4, which the frames are no multiple of.
    small = {"bottleneck": 4, "conv_channels": 6, "num_dilations": 3}
    separators = [
        Separator(basis="stft", num_repeats=1, **small) for _ in range(2)
    ]
    channels = {
        name: [separator(clip[None])[0].numpy() for clip in clips]
        for name, separator in zip("PQ", separators, strict=True)
    }
    info = write_shards(tmp_path, clips, channels)
    spec = _spec(view_samples=1000)
    make_views = OnTheFlyViews(separators, spec)
    # Of two clips: often both draw one processor, and the other gets none.
    beforehand = _batches(info, spec, 2, 3)
    on_the_fly = _batches(info, spec, 2, 3, clip_samples=4000)
    make_views = tf.function(make_views)
    for expected, clip_batch in zip(
        beforehand.take(9), on_the_fly.take(9), strict=True
    ):
        views = make_views(clip_batch)
        # Equal but for the 16 bits of the stored channels.
        np.testing.assert_allclose(
            views[VIEWS], expected[VIEWS], atol=1.01 / 2**15
        )
        np.testing.assert_array_equal(views[AUGMENT], expected[AUGMENT])
    assert not any(s.trainable_variables for s in separators)


@pytest.mark.parametrize(
    "clip_samples", [None, pytest.param(CLIP, marks=pytest.mark.long)]
)
def test_pipelines_and_replicas_share_the_batch(
    labeled_signals, drawn, clip_samples
):
    def batches(count, context):
        if context is None:
            return drawn[clip_samples][2 : 2 + count]
        dataset = _drawn(labeled_signals, 3, 2, clip_samples, context)
        return list(dataset.take(count).as_numpy_iterator())

    assert_shares_make_the_whole(batches, 4)
