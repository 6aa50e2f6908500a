"""CNN14 as it is served: batch norm is part of the convolutions."""

import keras
import numpy as np
from keras import ops

from models.cnn14.batch_norm import BatchNorm
from models.cnn14.cnn14 import CNN14
from models.cnn14.convolution import Convolution, num_tap_products
from models.cnn14.winograd import num_products, transformed, winograd

# Where they are fewer, Winograd's sums cost more than they save (our choice).
_CHANNELS = 256


class FoldedCNN14(keras.layers.Layer):
    """What a CNN14 computes outside of training, sooner.

    Batch norm is a gain and an offset for each channel then, by its moving
    statistics. The gain goes into the kernel, and the offset is a bias, so
    that no map is gone through once more. That of the mel bands stays by
    itself, since the convolution after it pads with zeros.

    Call: log-mel (B, frames, mel_bands) -> embedding h (B, embedding_dim).

    Args:
      encoder: its weights are copied as they are now; those after the blocks
        are shared.
      frames, mel_bands: of what is embedded.
    """

    def __init__(self, encoder: CNN14, frames: int, mel_bands: int, **kwargs):
        super().__init__(**kwargs)
        self.gain, self.offset = _gain_and_offset(encoder.bn0)
        self.parts = []
        cells = frames, mel_bands
        for block in encoder.blocks:
            for convolution, norm in (
                (block.conv1, block.bn1),
                (block.conv2, block.bn2),
            ):
                self.parts.append(FoldedConvolution(convolution, norm, cells))
            if block.pool > 1:
                self.parts.append(block.average)
                cells = tuple(size // block.pool for size in cells)
        *_, readout = encoder.segments()
        self.parts += readout
        self.built = True

    def call(self, log_mel):
        x = log_mel * self.gain + self.offset
        x = ops.expand_dims(x, -1)  # (B, frames, mel_bands, 1)
        for part in self.parts:
            x = part(x)
        return x


class FoldedConvolution(keras.layers.Layer):
    """3x3 convolution, batch norm with what it has learned, and ReLU.

    Call: (B, H, W, C) -> (B, H, W, filters).

    Args:
      convolution, norm: what follows one another.
      cells: H and W. Where channels are many and Winograd's products fewer,
        it is computed by these.
    """

    def __init__(
        self,
        convolution: Convolution,
        norm: BatchNorm,
        cells: tuple[int, int],
        **kwargs,
    ):
        super().__init__(dtype=convolution.dtype_policy, **kwargs)
        gain, offset = _gain_and_offset(norm)
        kernel = ops.convert_to_numpy(convolution.kernel) * gain
        self.convolve = convolution.convolution_op
        if min(kernel.shape[2:]) >= _CHANNELS and (
            num_products(*cells) < num_tap_products(*cells)
        ):
            kernel = transformed(kernel)
            self.convolve = winograd
        self.kernel, self.bias = (
            self.add_weight(
                value.shape, keras.initializers.Constant(value), name=name
            )
            for name, value in (("kernel", kernel), ("bias", offset))
        )
        self.built = True

    def call(self, x):
        return ops.relu(self.convolve(x, self.kernel) + self.bias)


def _gain_and_offset(norm: BatchNorm) -> tuple[np.ndarray, np.ndarray]:
    """float64 (C,) each, by the moving statistics."""
    gamma, beta, mean, variance = (
        np.asarray(ops.convert_to_numpy(weight), np.float64)
        for weight in (
            norm.gamma,
            norm.beta,
            norm.moving_mean,
            norm.moving_variance,
        )
    )
    gain = gamma / np.sqrt(variance + norm.epsilon)
    return gain, beta - mean * gain
