"""TDCN++: the stack of dilated blocks that reads the whole clip."""

import keras
from keras import ops

from models.separation.feature_norm import FeatureNorm

# Slope of the activations for negative inputs, before training.
_INITIAL_SLOPE = 0.1
# Block b starts with a gain of 0.9**b, counted through all repeats: the
# deeper a block, the closer to the identity.
_SCALE_DECAY = 0.9


@keras.saving.register_keras_serializable(package="separated_scenes")
class TDCN(keras.layers.Layer):
    """Initial dense layer, then repeats x dilations residual blocks.

    The TDCN++ of Kavalerov et al., "Universal Sound Separation" (WASPAA
    2019), in the configuration of Wisdom et al., "Unsupervised Sound
    Separation Using Mixture Invariant Training" (NeurIPS 2020): block b has
    dilation 2**(b mod num_dilations), no skip connections besides the
    residuals, nothing after the last block.

    Input: (batch, frames, features). Output: (batch, frames, bottleneck).

    Arguments are those of `Separator`.
    """

    def __init__(
        self,
        bottleneck: int = 256,
        conv_channels: int = 512,
        num_dilations: int = 8,
        num_repeats: int = 4,
        kernel_size: int = 3,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.bottleneck = bottleneck
        self.initial_dense = ScaledDense(
            bottleneck,
            use_bias=True,
            dtype=self.dtype_policy,
            name="initial_dense",
        )
        self.blocks = [
            TDCNBlock(
                conv_channels,
                kernel_size=kernel_size,
                dilation=2 ** (block % num_dilations),
                initial_scale=_SCALE_DECAY**block,
                dtype=self.dtype_policy,
                name=f"block_{block}",
            )
            for block in range(num_repeats * num_dilations)
        ]

    def build(self, input_shape):
        self.initial_dense.build(input_shape)
        for block in self.blocks:
            block.build((None, None, self.bottleneck))
        self.built = True

    def call(self, features):
        x = self.initial_dense(features)
        for block in self.blocks:
            x = block(x)
        return x


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
        self.dilation = dilation
        self.initial_scale = initial_scale
        dtype = self.dtype_policy
        self.expand = ScaledDense(conv_channels, dtype=dtype, name="expand")
        self.activation_1 = PReLU(dtype=dtype, name="activation_1")
        self.norm_1 = FeatureNorm(dtype=dtype, name="norm_1")
        self.convolution = keras.layers.DepthwiseConv1D(
            kernel_size,
            padding="same",
            dilation_rate=dilation,
            dtype=dtype,
            name="convolution",
        )
        self.activation_2 = PReLU(dtype=dtype, name="activation_2")
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
        x = self.activation_2(self.convolution(x))
        # contract(norm_2(x)), without two passes over all activations.
        centred, factor = self.norm_2.centre(x)
        x = self.contract(
            ops.cast(centred, self.compute_dtype), factor, self.norm_2.offset
        )
        return inputs + x


@keras.saving.register_keras_serializable(package="separated_scenes")
class ScaledDense(keras.layers.Layer):
    """scale * (inputs @ kernel + bias), with a trainable scalar scale.

    The gains let deep stacks start close to the identity (Kavalerov et al.,
    WASPAA 2019, section 3.2). The scale multiplies product and bias alike.

    Args:
        initial_scale: Value of the scale before training.
    """

    def __init__(
        self,
        units: int,
        use_bias: bool = False,
        initial_scale: float = 1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.use_bias = use_bias
        self.initial_scale = initial_scale

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], self.units),
            initializer="glorot_uniform",
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.units,), initializer="zeros"
            )
        self.scale = self.add_weight(
            name="scale",
            shape=(),
            initializer=keras.initializers.Constant(self.initial_scale),
        )
        self.built = True

    def call(self, inputs, factor=None, offset=None):
        """Of `inputs`, or of `factor * inputs + offset`.

        Args:
            inputs: (batch, frames, channels).
            factor: (batch, 1, channels), or None for one.
            offset: A number or scalar, or None for zero.
        """
        # Scaling the kernel costs far less than scaling the activations.
        kernel = self.kernel * self.scale
        scaled = kernel
        if factor is not None:
            factor = ops.cast(factor, self.compute_dtype)
            scaled = ops.transpose(factor, (0, 2, 1)) * kernel
        outputs = ops.matmul(inputs, scaled)
        if self.bias is not None:
            outputs = outputs + self.bias * self.scale
        if offset is not None:
            offset = ops.cast(offset, self.compute_dtype)
            outputs = outputs + offset * ops.sum(kernel, axis=0)
        return outputs


@keras.saving.register_keras_serializable(package="separated_scenes")
class PReLU(keras.layers.PReLU):
    """PReLU with a single slope, shared by all frames and channels.

    Input and output: (batch, frames, channels).
    """

    def __init__(self, **kwargs):
        initial = keras.initializers.Constant(_INITIAL_SLOPE)
        options = {"alpha_initializer": initial, "shared_axes": [1, 2]}
        super().__init__(**(options | kwargs))

    def call(self, inputs):
        # The difference would take three of bfloat16's eight bits.
        if self.compute_dtype not in ("float32", "float64"):
            return super().call(inputs)
        # Three passes over the activations, where Keras' formula takes five.
        return inputs + (self.alpha - 1) * ops.minimum(inputs, 0)
