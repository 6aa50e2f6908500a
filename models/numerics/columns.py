"""The columns of an array that is kept row by row."""

from collections.abc import Iterator

import numpy as np

# Columns and rows that are turned at once. Column by column, a large array
# would be read from memory once for each.
_COLUMNS, _ROWS = 128, 256


def columns(array: np.ndarray) -> Iterator[np.ndarray]:
    """(N, C) -> C columns (N,), each in one piece."""
    for first in range(0, array.shape[1], _COLUMNS):
        block = array[:, first : first + _COLUMNS]
        turned = np.empty(block.shape[::-1], block.dtype)
        for row in range(0, len(block), _ROWS):
            turned[:, row : row + _ROWS] = block[row : row + _ROWS].T
        yield from turned
