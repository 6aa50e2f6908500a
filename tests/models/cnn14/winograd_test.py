import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from models.cnn14.winograd import num_products, transformed, winograd


@pytest.mark.parametrize(
    "cells, products",
    [((6, 4), 96), ((3, 2), 32), ((1, 1), 16), ((5, 7), 192)],
)
def test_it_is_the_convolution(cells, products):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(4, *cells, 5)))
    kernel = rng.normal(size=(3, 3, 5, 7))
    assert num_products(*cells) == products
    places = transformed(kernel)
    assert places.shape == (16, 5, 7)
    traced = tf.function(lambda x: winograd(x, tf.constant(places)))
    expected = ops.conv(x, tf.constant(kernel), padding="same")
    for given in (x, x[:0]):
        outputs = traced(given)
        np.testing.assert_allclose(outputs, expected[: len(given)], atol=1e-12)
