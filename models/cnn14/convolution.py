"""The 3x3 convolution of CNN14, also on maps of a few cells."""

import keras
from keras import ops

# From so many channels on, and so many a cell of the map, products are faster
# on a CPU: 2.5 to 8 times at the published width (our choice).
_CHANNELS, _CHANNELS_PER_CELL = 128, 5
_MOST_CELLS = 24  # Beyond, they cost memory: each tap keeps what it sees.


@keras.saving.register_keras_serializable(package="separated_scenes")
class Convolution(keras.layers.Conv2D):
    """3x3, zero-padded, without bias: (B, H, W, C) -> (B, H, W, filters).

    The last blocks see maps of 6 x 4 and 3 x 2 cells with many channels. There
    `tap_products` computes it, in float32 and above, wherever the map's size
    is known.
    """

    def __init__(self, filters: int, **kwargs):
        fixed = {"kernel_size": 3, "padding": "same", "use_bias": False}
        super().__init__(filters, **kwargs | fixed)

    def convolution_op(self, inputs, kernel):
        _, height, width, channels = inputs.shape
        fewest = min(channels, self.filters)
        if (
            height is not None
            and width is not None
            and height * width <= _MOST_CELLS
            and fewest >= max(_CHANNELS, height * width * _CHANNELS_PER_CELL)
            and self.compute_dtype in ("float32", "float64")
        ):
            return tap_products(inputs, kernel)
        return super().convolution_op(inputs, kernel)


def tap_products(inputs, kernel):
    """The convolution as a matrix product for each tap, and their sum.

    Only cells enter that a tap finds inside of the map: of 3 x 2 cells these
    are 28 of 54, and a convolution multiplies zeros for the others.

    Args:
      inputs: (B, H, W, C) of known H and W.
      kernel: (3, 3, C, filters).

    Returns:
      (B, H, W, filters).
    """
    _, height, width, channels = inputs.shape
    filters = kernel.shape[-1]
    taps = ops.unstack(ops.reshape(kernel, (9, channels, filters)))
    total = 0.0
    for number, tap in enumerate(taps):
        # The output at a cell takes the input so far below and to the right.
        down, right = number // 3 - 1, number % 3 - 1
        if abs(down) >= height or abs(right) >= width:
            continue
        cells = height - abs(down), width - abs(right)
        # Not `inputs[...]`, whose gradient takes twice as long.
        seen = ops.slice(
            inputs,
            (0, max(down, 0), max(right, 0), 0),
            (ops.shape(inputs)[0], *cells, channels),
        )
        products = ops.matmul(ops.reshape(seen, (-1, channels)), tap)
        products = ops.reshape(products, (-1, *cells, filters))
        total += ops.pad(
            products, ((0, 0), _around(-down), _around(-right), (0, 0))
        )
    return total


def num_tap_products(height: int, width: int) -> int:
    """Those of `tap_products` for each pair of channels."""
    return (3 * height - 2) * (3 * width - 2)


def _around(shift: int) -> tuple[int, int]:
    """Zeros before and after what is shifted."""
    return max(shift, 0), max(-shift, 0)
