"""TDCN++: the stack of dilated blocks that reads the whole clip."""

import keras

from models.separation.scaled_dense import ScaledDense
from models.separation.tdcn_block import TDCNBlock

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

    Args:
        bottleneck: Channels of the residual stream.
        conv_channels: Channels inside a block.
        num_dilations: Blocks in a repeat.
        num_repeats: Times that the dilations run through.
        kernel_size: Taps of each convolution, odd.
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
        self.conv_channels = conv_channels
        self.num_dilations = num_dilations
        self.num_repeats = num_repeats
        self.kernel_size = kernel_size
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

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.bottleneck)

    def get_config(self):
        return {
            **super().get_config(),
            "bottleneck": self.bottleneck,
            "conv_channels": self.conv_channels,
            "num_dilations": self.num_dilations,
            "num_repeats": self.num_repeats,
            "kernel_size": self.kernel_size,
        }
