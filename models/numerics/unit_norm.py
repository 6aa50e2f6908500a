"""Rows of norm 1."""

from keras import ops

from models.numerics.precision import loss_dtype

# Rows whose entries are all below this keep their direction and are scaled
# by its inverse: a zero row stays zero, with a finite gradient.
_FLOOR = 1e-6


def unit_norm(rows):
    """Rows (..., d) scaled to norm 1, in the precision of a loss.

    Rows are first divided by their largest entry, so that squares of huge
    entries do not overflow.
    """
    rows = ops.cast(rows, loss_dtype(rows))
    largest = ops.max(ops.abs(rows), axis=-1, keepdims=True)
    # Cancels in the result, and so has no gradient.
    rows = rows / ops.stop_gradient(ops.maximum(largest, _FLOOR))
    squared = ops.sum(rows * rows, axis=-1, keepdims=True)
    return rows * ops.rsqrt(ops.maximum(squared, 1.0))
