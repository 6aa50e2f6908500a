"""One dilated depthwise-separable residual block of TDCN++."""

import keras

from models.separation.feature_norm import FeatureNorm
from models.separation.scaled_dense import ScaledDense

# Slope of the activations for negative inputs, before training.
_INITIAL_SLOPE = 0.1


def _prelu(dtype, name):
    """PReLU with a single slope, shared by all frames and channels."""
    return keras.layers.PReLU(
        alpha_initializer=keras.initializers.Constant(_INITIAL_SLOPE),
        shared_axes=[1, 2],
        dtype=dtype,
        name=name,
    )


@keras.saving.register_keras_serializable(package="separated_scenes")
class TDCNBlock(keras.layers.Layer):
    """Dense, dilated depthwise convolution, dense; added to the input.

    Order as in google-research/sound-separation: dense, PReLU, norm,
    depthwise convolution over time (centred, zero-padded, with bias), PReLU,
    norm, dense, residual. The activation comes before the norm.

    Input and output: (batch, frames, channels of the residual stream).

    Args:
        conv_channels: Channels between the two dense layers.
        kernel_size: Taps of the convolution, odd.
        dilation: Distance of the taps, frames.
        initial_scale: Gain of the block's contribution before training.

    Raises:
        ValueError: For an even kernel size.
    """

    def __init__(
        self,
        conv_channels: int,
        kernel_size: int = 3,
        dilation: int = 1,
        initial_scale: float = 1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(
                "kernel_size must be odd, so that the taps are centred on a "
                f"frame. Received: kernel_size={kernel_size}"
            )
        self.conv_channels = conv_channels
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.initial_scale = initial_scale
        dtype = self.dtype_policy
        self.expand = ScaledDense(conv_channels, dtype=dtype, name="expand")
        self.activation_1 = _prelu(dtype, "activation_1")
        self.norm_1 = FeatureNorm(dtype=dtype, name="norm_1")
        self.convolution = keras.layers.DepthwiseConv1D(
            kernel_size,
            padding="same",
            dilation_rate=dilation,
            dtype=dtype,
            name="convolution",
        )
        self.activation_2 = _prelu(dtype, "activation_2")
        self.norm_2 = FeatureNorm(dtype=dtype, name="norm_2")
        # Its width, that of the residual stream, is known in build().
        self.contract = None

    def build(self, input_shape):
        inner = (None, None, self.conv_channels)
        self.contract = ScaledDense(
            input_shape[-1],
            initial_scale=self.initial_scale,
            dtype=self.dtype_policy,
            name="contract",
        )
        self.expand.build(input_shape)
        for layer in (
            self.activation_1,
            self.norm_1,
            self.convolution,
            self.activation_2,
            self.norm_2,
            self.contract,
        ):
            layer.build(inner)
        self.built = True

    def call(self, inputs):
        x = self.norm_1(self.activation_1(self.expand(inputs)))
        x = self.norm_2(self.activation_2(self.convolution(x)))
        return inputs + self.contract(x)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "conv_channels": self.conv_channels,
            "kernel_size": self.kernel_size,
            "dilation": self.dilation,
            "initial_scale": self.initial_scale,
        }
