import keras
import pytest

from models.cnn14.cnn14 import CNN14
from models.frontend.log_mel import LogMel
from models.frontend.panns_log_mel import PANNsLogMel
from models.multiply_adds import layer_calls
from models.separation.scaled_dense import ScaledDense
from models.separation.separator import Separator


@pytest.mark.parametrize(
    "layer, input_shape, expected",
    [
        (keras.layers.Dense(5), (1, 7, 3), 7 * 3 * 5),
        (ScaledDense(5, use_bias=True), (1, 7, 3), 7 * 3 * 5),
        # 11 x 8 places, 3 x 2 taps, 4 to 5 channels.
        (
            keras.layers.Conv2D(5, (3, 2), padding="same"),
            (1, 11, 8, 4),
            11 * 8 * 3 * 2 * 4 * 5,
        ),
        # Without padding 9 x 7 places.
        (keras.layers.Conv2D(5, (3, 2)), (1, 11, 8, 4), 9 * 7 * 6 * 4 * 5),
        (
            keras.layers.DepthwiseConv1D(3, padding="same", dilation_rate=4),
            (1, 13, 6),
            13 * 3 * 6,
        ),
        # 257 and 129 bins into 64 bands; 98 and 101 frames.
        (LogMel(), (1, 16000), 98 * 257 * 64),
        (PANNsLogMel(8000), (1, 8000), 101 * 129 * 64),
        (keras.layers.BatchNormalization(), (1, 7, 3), 0),
    ],
)
def test_single_layers_by_hand(layer, input_shape, expected):
    (call,) = layer_calls(layer, input_shape)
    assert call.layer is layer and call.depth == 0
    assert call.multiply_adds == expected
    assert call.output_shape == layer.compute_output_shape(input_shape)


def test_a_batch_counts_each_of_its_examples():
    (call,) = layer_calls(keras.layers.Dense(5), (2, 7, 3))
    assert call.multiply_adds == 2 * 7 * 3 * 5


def test_a_layer_that_is_called_twice_counts_twice():
    dense = keras.layers.Dense(3)
    calls = layer_calls(lambda x: dense(dense(x)), (1, 3))
    assert [call.multiply_adds for call in calls] == [9, 9]


def test_learned_basis_separator_by_hand():
    separator = Separator(
        num_sources=3,
        num_coefficients=17,
        bottleneck=9,
        conv_channels=14,
        num_dilations=2,
        num_repeats=2,
    )
    # 1003 samples in windows of 40 every 20: 50 frames.
    block = 9 * 14 + 3 * 14 + 14 * 9
    coefficients = 40 * 17 + 17 * 9 + 4 * block + 9 * 3 * 17 + 3 * 17 * 40
    calls = layer_calls(separator, (1, 1003))
    assert calls[0].layer is separator
    assert calls[0].output_shape == (1, 3, 1003)
    assert calls[0].multiply_adds == 50 * coefficients + 9 * 3
    (tdcn,) = (call for call in calls if call.layer is separator.tdcn)
    assert tdcn.depth == 1 and tdcn.output_shape == (1, 50, 9)
    assert tdcn.multiply_adds == 50 * (17 * 9 + 4 * block)


def test_stft_separator_counts_no_fft():
    separator = Separator(
        num_sources=3,
        sample_rate_hz=8000,
        basis="stft",
        bottleneck=9,
        conv_channels=14,
        num_dilations=2,
        num_repeats=1,
    )
    # 129 bins; 1003 samples at hops of 64: 16 frames.
    block = 9 * 14 + 3 * 14 + 14 * 9
    (call, *_) = layer_calls(separator, (1, 1003))
    of_frame = 129 * 9 + 2 * block + 9 * 3 * 129
    assert call.multiply_adds == 16 * of_frame + 9 * 3


def test_encoder_by_hand():
    encoder = CNN14(7, 1 / 16, hidden_layer=True)
    places = [71 * 64, 35 * 32, 17 * 16, 8 * 8, 4 * 4, 2 * 2]
    channels = [1, 4, 8, 16, 32, 64, 128]
    expected = 128 * 128 + 128 * 7
    for size, before, after in zip(
        places, channels[:-1], channels[1:], strict=True
    ):
        expected += size * 9 * (before * after + after * after)
    calls = layer_calls(encoder, (1, 71, 64))
    assert calls[0].multiply_adds == expected
    assert calls[0].output_shape == (1, 7)


def test_keras_is_left_as_it_was():
    call_layer = keras.layers.Layer.__call__
    layer_calls(keras.layers.Dense(5), (1, 3))
    assert keras.layers.Layer.__call__ is call_layer
    with pytest.raises(ValueError, match="samples"):
        layer_calls(Separator(bottleneck=3, num_repeats=1), (1, 5, 1003))
    assert keras.layers.Layer.__call__ is call_layer
