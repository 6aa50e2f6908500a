import itertools

import numpy as np
import tensorflow as tf

from tests.train.loop.event_files import events_of, read_image, read_sound
from train.separation.examples import SeparationExamples

RATE_HZ = 8000


class _Thirds:
    """Stands for a separator: three channels of different shares."""

    sample_rate_hz = RATE_HZ
    shares = np.array([0.6, 0.3, 0.1], "f4")
    calls = 0

    def __call__(self, mixtures, training):
        assert not training
        self.calls += 1
        return mixtures[:, None] * self.shares[:, None]


def _pairs(samples, size=5):
    pairs = np.random.default_rng(0).normal(0, 0.1, (size, 2, samples))
    return pairs.astype("f4")


def _shown(folder, separator, pairs, steps, every=10):
    dataset = tf.data.Dataset.from_tensors((pairs, {}))
    examples = SeparationExamples(separator, lambda step: dataset, every)
    return events_of(folder, examples, steps)


def test_single_clips_and_their_channels_are_shown(tmp_path):
    """On one color scale; long clips are cut."""
    pairs = _pairs(5 * RATE_HZ)
    found = _shown(tmp_path, _Thirds(), pairs, range(11))
    names = ("mixture", "channel_1", "channel_2", "channel_3")
    assert set(found) == {
        (f"scenes/clip_{clip}/{name}{end}", step)
        for clip, name, end, step in itertools.product(
            (1, 2, 3), names, ("", "_sound"), (0, 10)
        )
    }
    for clip, (name, share) in itertools.product(
        range(3), zip(names, [1, *_Thirds.shares], strict=True)
    ):
        tag = f"scenes/clip_{clip + 1}/{name}"
        sound, rate_hz = read_sound(found[f"{tag}_sound", 10])
        assert rate_hz == RATE_HZ
        np.testing.assert_allclose(
            sound, share * pairs[clip, 0, : 4 * RATE_HZ], atol=1 / 32767
        )
    images = [read_image(found[f"scenes/clip_1/{n}", 0]) for n in names]
    assert len({image.shape for image in images}) == 1
    assert images[0].shape[0] == 64 and images[0].max() > 240
    means = [image.mean() for image in images]
    assert means == sorted(means, reverse=True)


def test_nothing_is_separated_where_nothing_is_shown(tmp_path):
    separator = _Thirds()
    assert not _shown(tmp_path, separator, _pairs(500), range(21), every=0)
    assert not _shown(tmp_path, separator, _pairs(500), range(1, 10))
    assert separator.calls == 0
