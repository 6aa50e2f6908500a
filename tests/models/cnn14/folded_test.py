"""The served encoder; of the published size it is in cnn14_test.py."""

import numpy as np
import pytest

from models.cnn14 import folded
from models.cnn14.cnn14 import CNN14
from models.cnn14.folded import FoldedCNN14


def _with_any_weights(encoder):
    random = np.random.default_rng(0)
    for weight in encoder.weights:
        values = random.normal(size=weight.shape)
        if weight.path.endswith("kernel"):
            values *= np.sqrt(2 / np.prod(weight.shape[:-1]))
        elif weight.path.endswith(("gamma", "variance")):
            values = np.exp(values / 2)
        weight.assign(values)
    return encoder


@pytest.mark.parametrize("fewest_channels", [1, 10**9])
@pytest.mark.parametrize("hidden_layer", [False, True])
@pytest.mark.parametrize("frames, bands", [(96, 64), (70, 40)])
def test_it_is_the_network(
    monkeypatch, frames, bands, hidden_layer, fewest_channels
):
    """With all convolutions that can be Winograd's, or none."""
    monkeypatch.setattr(folded, "_CHANNELS", fewest_channels)
    encoder = _with_any_weights(CNN14(5, 1 / 16, hidden_layer, mel_bands=bands))
    served = FoldedCNN14(encoder, frames, bands)
    log_mel = np.random.default_rng(1).normal(size=(3, frames, bands))
    expected = np.asarray(encoder(log_mel))
    largest = np.abs(expected).max()
    assert np.ptp(expected, axis=0).min() > 1e-3 * largest
    difference = np.abs(served(log_mel) - expected).max()
    assert difference <= 1e-5 * largest


def test_it_keeps_the_weights_that_it_was_made_of():
    encoder = _with_any_weights(CNN14(5, 1 / 16))
    served = FoldedCNN14(encoder, 96, 64)
    log_mel = np.random.default_rng(1).normal(size=(1, 96, 64))
    before = np.asarray(served(log_mel))
    kernel = encoder.blocks[0].conv1.kernel
    kernel.assign(kernel + 1)
    np.testing.assert_array_equal(served(log_mel), before)
