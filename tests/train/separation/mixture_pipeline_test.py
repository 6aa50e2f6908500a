import numpy as np
import pytest
import tensorflow as tf

from data.run.errors import UserError
from data.shards.record_index import RecordIndex
from data.shards.record_reader import POSITION
from tests.train.small_shards import (
    assert_shares_make_the_whole,
    noise_clips,
    write_shards,
)
from train.separation.mixture_pipeline import batches_of_pairs

CROP = 50


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    clips = noise_clips(6, 90) + [clip[:30] for clip in noise_clips(1, 90, 1)]
    folder = tmp_path_factory.mktemp("shards")
    return RecordIndex.of(write_shards(folder, clips), ("train",))


def _batches(index, count, start_step=0, context=None, seed=3):
    dataset = batches_of_pairs(index, CROP, 8, seed, start_step, context)
    return list(dataset.take(count).as_numpy_iterator())


@pytest.fixture(scope="module")
def whole(index):
    """The first batches of one pipeline."""
    return _batches(index, 7)


def test_neighbours_of_the_stream_make_pairs(whole):
    for step, (pairs, read_status) in enumerate(whole):
        assert pairs.shape == (8, 2, CROP)
        positions = 16 * step + np.arange(16).reshape(8, 2)
        np.testing.assert_array_equal(read_status[POSITION], positions)


def test_a_later_start_continues_the_same_stream(index, whole):
    later = _batches(index, 5, start_step=2)
    tf.nest.map_structure(np.testing.assert_array_equal, whole[2:], later)
    other = _batches(index, 1, seed=4)
    assert not np.array_equal(other[0][0], whole[0][0])


def test_clips_shorter_than_the_crop_are_padded(whole):
    ends = np.concatenate([pairs for pairs, _ in whole])[..., 30:]
    is_short = ~ends.any(axis=-1)
    # Of 7 clips one: 16 times in 16 epochs.
    assert np.sum(is_short) == 16


@pytest.mark.parametrize(
    "replicas", [2, pytest.param(4, marks=pytest.mark.long)]
)
def test_pipelines_and_replicas_share_the_batch(index, whole, replicas):
    def batches(count, context):
        if context is None:
            return whole[2 : 2 + count]
        return _batches(index, count, 2, context)

    assert_shares_make_the_whole(batches, replicas)


def test_one_clip_makes_no_pair(tmp_path):
    info = write_shards(tmp_path, noise_clips(1, 90))
    with pytest.raises(UserError, match="has one clip .* MixIT adds two"):
        _batches(RecordIndex.of(info, ("train",)), 1)
