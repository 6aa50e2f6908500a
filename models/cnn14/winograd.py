"""3x3 convolutions by fewer products, with a kernel prepared for it.

Winograd's F(2 x 2, 3 x 3) (Lavin and Gray, "Fast Algorithms for Convolutional
Neural Networks", CVPR 2016): four cells of the output take 16 products of each
pair of channels, and not 36.
"""

import numpy as np
from keras import ops

# The three taps of a row, seen from the four places of a transformed one.
_TAPS = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])


def num_products(height: int, width: int) -> int:
    """Of each pair of channels, for a map of so many cells."""
    return 16 * -(-height // 2) * -(-width // 2)


def transformed(kernel: np.ndarray) -> np.ndarray:
    """A kernel (3, 3, C, filters) as `winograd` takes it: (16, C, filters)."""
    places = np.einsum("ia,jb,abcf->ijcf", _TAPS, _TAPS, kernel)
    return places.reshape(16, *kernel.shape[2:])


def winograd(inputs, kernel):
    """The convolution, zero-padded.

    Args:
      inputs: (B, H, W, C) of known H and W.
      kernel: from `transformed`.

    Returns:
      (B, H, W, filters).
    """
    _, height, width, channels = inputs.shape
    filters = kernel.shape[-1]
    rows, columns = -(-height // 2), -(-width // 2)
    # One cell before, and after so many that tiles of 2 x 2 fill the map.
    margins = ((1, 1 + height % 2), (1, 1 + width % 2))
    padded = ops.pad(inputs, ((0, 0), *margins, (0, 0)))
    places = [
        ops.reshape(place, (-1, channels))
        for band in _places(padded, 1, rows)
        for place in _places(band, 2, columns)
    ]
    products = ops.matmul(ops.stack(places), kernel)  # (16, tiles, filters)
    tiles = ops.unstack(
        ops.reshape(products, (16, -1, rows, columns, filters)), 16
    )
    bands = [_pair(tiles[column::4]) for column in range(4)]
    halves = [
        ops.reshape(
            ops.stack(_pair(half), axis=3), (-1, rows, 2 * columns, filters)
        )
        for half in zip(*bands, strict=True)
    ]
    outputs = ops.reshape(
        ops.stack(halves, axis=2), (-1, 2 * rows, 2 * columns, filters)
    )
    return outputs[:, :height, :width]


def _places(x, axis: int, tiles: int) -> list:
    """What the taps see of each tile of four cells, two of them the next's."""
    shape = list(ops.shape(x))
    shape[axis : axis + 1] = [tiles + 1, 2]
    even, odd = ops.unstack(ops.reshape(x, shape), 2, axis=axis + 1)
    before = (slice(None),) * axis
    this, following = (*before, slice(-1)), (*before, slice(1, None))
    first, second = even[this], odd[this]
    third, fourth = even[following], odd[following]
    return [first - third, second + third, third - second, second - fourth]


def _pair(places: list) -> tuple:
    """The two cells of a tile, from its four places."""
    first, second, third, fourth = places
    return first + (second + third), (second - third) - fourth
