import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from models.cnn14 import convolution
from models.cnn14.cnn14 import CNN14
from models.cnn14.convolution import Convolution, tap_products

MAPS = [(3, 2), (6, 4), (1, 1), (1, 4), (2, 2), (5, 1)]


@pytest.mark.parametrize("cells", MAPS)
def test_products_are_the_convolution(cells):
    """Values, and gradients for inputs and kernel."""
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(4, *cells, 5)))
    kernel = tf.constant(rng.normal(size=(3, 3, 5, 7)))
    towards = rng.normal(size=(4, *cells, 7))
    results = []
    for function in (
        tap_products,
        lambda x, kernel: ops.conv(x, kernel, padding="same"),
    ):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            outputs = function(x, kernel)
            loss = tf.reduce_sum(outputs * towards)
        results.append([outputs, *tape.gradient(loss, [x, kernel])])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize(
    "shape, filters, dtype, expected",
    [
        ((None, 3, 2, 128), 128, "float32", True),
        ((None, 3, 2, 128), 127, "float32", False),
        ((None, 6, 4, 128), 256, "float32", True),
        ((None, 6, 4, 119), 256, "float32", False),
        ((None, 5, 5, 512), 512, "float32", False),
        ((None, None, 2, 2048), 2048, "float32", False),
        ((None, 3, 2, 128), 128, "mixed_bfloat16", False),
    ],
)
def test_chosen_where_channels_are_many_for_the_cells(
    monkeypatch, shape, filters, dtype, expected
):
    called = []
    monkeypatch.setattr(
        convolution, "tap_products", lambda *args: called.append(args)
    )
    layer = Convolution(filters, dtype=dtype)
    layer.build(shape)
    if expected:
        # What was called gives nothing to go on with.
        layer.convolution_op(
            keras.KerasTensor(shape), ops.convert_to_tensor(layer.kernel)
        )
    else:
        inputs = np.zeros([size or 4 for size in shape], "f4")
        traced = tf.function(layer, [tf.TensorSpec(shape)])
        assert traced(inputs).shape == (*inputs.shape[:3], filters)
    assert bool(called) == expected


def test_the_network_is_the_same_either_way(monkeypatch):
    """All that can, or none."""
    network = CNN14(embedding_dim=8, width=1 / 8)
    log_mel = np.random.default_rng(0).normal(size=(2, 96, 64)).astype("f4")
    values = []
    monkeypatch.setattr(convolution, "_CHANNELS_PER_CELL", 1)
    for fewest in (1, 10**9):
        monkeypatch.setattr(convolution, "_CHANNELS", fewest)
        values.append(network(log_mel))
    np.testing.assert_allclose(*values, rtol=1e-4, atol=1e-5)
