"""Framing and overlap-add against those of tf.signal."""

import numpy as np
import pytest
import tensorflow as tf

from models.separation import framing

# Window and hop: half, quarter, a hop that does not divide, no overlap.
SIZES = [(40, 20), (16, 4), (7, 3), (5, 5)]
LENGTHS = [1, 3, 7, 39, 40, 41, 101]


@pytest.mark.parametrize("window,hop", SIZES)
def test_covering_frames_are_just_enough(window, hop):
    for num_samples in LENGTHS:
        count = framing.covering_frames(num_samples, window, hop)
        assert window + (count - 1) * hop >= num_samples
        assert count == 1 or window + (count - 2) * hop < num_samples
        dynamic = framing.covering_frames(tf.constant(num_samples), window, hop)
        assert int(dynamic) == count


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("covering", [False, True])
@pytest.mark.parametrize("window,hop", SIZES)
def test_frames_and_sums_are_those_of_tf_signal(window, hop, covering, dynamic):
    rng = np.random.default_rng(0)

    def both_ways(waveform, channels):
        num_samples = tf.shape(waveform)[1] if dynamic else waveform.shape[1]
        if covering:
            count = framing.covering_frames(num_samples, window, hop)
        else:
            count = -(-num_samples // hop)
        frames = framing.frame(waveform, window, hop, count)
        stacked = frames[:, None] * channels[:, None, None]
        return frames, framing.overlap_add(stacked, hop, num_samples)

    if dynamic:
        spec = [
            tf.TensorSpec([None, None], tf.float32),
            tf.TensorSpec([2], tf.float32),
        ]
        both_ways = tf.function(
            both_ways, input_signature=spec, autograph=False
        )
    for num_samples in LENGTHS:
        waveform = rng.normal(size=(3, num_samples)).astype(np.float32)
        frames, summed = both_ways(waveform, np.float32([1.0, -2.0]))
        if covering:
            count = framing.covering_frames(num_samples, window, hop)
        else:
            count = -(-num_samples // hop)
        padded = np.pad(waveform, ((0, 0), (0, count * hop + window)))
        expected = tf.signal.frame(padded, window, hop)[:, :count]
        np.testing.assert_array_equal(frames, expected)
        stacked = np.stack([expected, -2.0 * expected], axis=1)
        total = tf.signal.overlap_and_add(stacked, hop)[..., :num_samples]
        np.testing.assert_allclose(summed, total, atol=1e-5)
        assert summed.shape == (3, 2, num_samples)
