import numpy as np

from models.metrics.channel_activity import active_channels


def test_channels_above_the_level_are_active():
    noise = np.random.default_rng(0).normal(size=(2, 500)).astype("f4")
    gains = np.array([1.0, 0.0101, 0.0099, 0.0], "f4")
    channels = gains[:, None] * noise[:, None]  # (2, 4, 500)
    np.testing.assert_array_equal(
        active_channels(channels, noise), [[1, 1, 0, 0]] * 2
    )


def test_nothing_is_active_in_silence():
    channels = np.full((1, 3, 7), 0.5, "f4")
    mixture = np.zeros((1, 7), "f4")
    np.testing.assert_array_equal(active_channels(channels, mixture), [[0] * 3])
