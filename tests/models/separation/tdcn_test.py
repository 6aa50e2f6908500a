"""TDCN++ and its parts: norm, gains, block order, dilations."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.separation.feature_norm import FeatureNorm
from models.separation.tdcn import TDCN, PReLU, ScaledDense, TDCNBlock


def _normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _randomise(layer, seed=0):
    rng = np.random.default_rng(seed)
    for variable in layer.variables:
        noise = rng.uniform(0.1, 0.6, size=variable.shape)
        variable.assign(variable.numpy() + noise)


def test_initial_values_are_those_of_the_reference():
    tdcn = TDCN(4, 5, num_dilations=3, num_repeats=2)
    tdcn.build((None, None, 7))
    assert [b.dilation for b in tdcn.blocks] == [1, 2, 4, 1, 2, 4]
    scales = [float(b.contract.scale) for b in tdcn.blocks]
    np.testing.assert_allclose(scales, 0.9 ** np.arange(6), rtol=1e-6)
    for block in tdcn.blocks:
        np.testing.assert_allclose(block.activation_1.alpha.numpy(), 0.1)
        assert float(block.expand.scale) == 1.0
    per_block = 2 * 4 * 5 + 3 * 5 + 5 + 2 + 2 + 4
    assert tdcn.count_params() == 7 * 4 + 4 + 1 + 6 * per_block


def test_a_block_is_the_chain_of_its_layers():
    """Though part of norm_2 is folded into the dense layer after it."""
    block = TDCNBlock(conv_channels=5, dilation=2, dtype="float64")
    block.build((None, None, 4))
    _randomise(block)
    inputs = _normal(3, 21, 4).astype(np.float64)
    x = block.norm_1(block.activation_1(block.expand(inputs)))
    x = block.norm_2(block.activation_2(block.convolution(x)))
    expected = inputs + block.contract(x)
    np.testing.assert_allclose(block(inputs), expected, rtol=1e-12)


def test_the_norm_has_a_mean_and_a_deviation_over_time():
    norm = FeatureNorm(dtype="float64")
    norm.build((None, None, 3))
    _randomise(norm)
    inputs = 5 + _normal(2, 17, 3).astype(np.float64)
    expected = inputs - inputs.mean(1, keepdims=True)
    expected *= norm.gain.numpy() / np.sqrt(inputs.var(1, keepdims=True) + 1e-3)
    expected += norm.offset.numpy()
    np.testing.assert_allclose(norm(inputs), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("slope", [-0.5, 0.0, 0.1, 1.0, 1.5])
def test_prelu_and_its_gradients(slope, dtype):
    layer = PReLU(dtype=dtype)
    layer.build((None, None, 2))
    layer.alpha.assign(np.full((1, 1), slope))
    x = tf.constant(_normal(1, 50, 2))
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = tf.cast(layer(x), "float32")
    to_x, to_slope = tape.gradient(outputs, [x, layer.alpha.value])
    negative = x.numpy() < 0
    within = 1e-6 if dtype == "float32" else 1e-2
    expected = np.where(negative, slope * x, x)
    np.testing.assert_allclose(outputs, expected, within, within)
    np.testing.assert_allclose(to_x, np.where(negative, slope, 1), within)
    below_zero = x.numpy()[negative].sum()
    np.testing.assert_allclose(to_slope.numpy().item(), below_zero, within)


@pytest.mark.parametrize("frames", [1, 41])
def test_dilation_may_exceed_the_clip(frames):
    """With padding wider than the clip, only the centre tap has input."""
    block = TDCNBlock(conv_channels=5, dilation=128)
    block.build((None, None, 4))
    kernel = block.convolution.kernel.numpy()
    inputs = _normal(2, frames, 4)
    full = block(inputs)
    kernel[[0, 2]] = 0.0
    block.convolution.kernel.assign(kernel)
    np.testing.assert_allclose(full, block(inputs), atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        FeatureNorm(axis=(1, 2)),
        ScaledDense(3, use_bias=True, initial_scale=0.3),
        TDCNBlock(5, kernel_size=5, dilation=4, initial_scale=0.2),
        TDCN(4, 5, num_dilations=3, num_repeats=2, kernel_size=5),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_config_and_keras_file_round_trip(layer, tmp_path):
    config = layer.get_config()
    assert type(layer).from_config(config).get_config() == config
    model = keras.Sequential([keras.Input((None, 4)), layer])
    _randomise(model)
    model.save(tmp_path / "layer.keras")
    loaded = keras.saving.load_model(tmp_path / "layer.keras")
    inputs = _normal(2, 13, 4)
    np.testing.assert_array_equal(loaded(inputs), model(inputs))


def test_even_kernels_are_refused():
    with pytest.raises(ValueError, match="odd.*kernel_size=4"):
        TDCNBlock(5, kernel_size=4)
