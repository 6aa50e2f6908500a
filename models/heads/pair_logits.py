"""A hidden layer with ReLU and one logit, for all pairs of two sets of rows."""

import math

from keras import ops

# Hidden units of all pairs up to which they are computed in one piece, with
# the backend's own gradient: a batch of 256 with 512 units.
_ONE_PIECE = 2**25
# Hidden units that a step of the loop computes: a processor's cache.
_TILE = 2**20


def pair_logits(a, b, weights):
    """sum over h of weights[h] * relu(a[i, h] + b[j, h]), for all i and j.

    Where these are many, (N, K, H) hidden units never exist in one piece:
    rows are looped over, and the gradient computes the units again. Memory is
    O(N K + (N + K) H).

    Args:
      a: (N, H), float32 or float64.
      b: (K, H).
      weights: (H,); H is known, N and K need not be.

    Returns:
      (N, K).
    """
    if _num_units(a, b) <= _ONE_PIECE:
        return _tile(a, b, weights)

    def looped(a, b, weights):
        def gradient(*arguments, upstream=None):
            if upstream is None:  # Only torch gives it a name.
                (upstream,) = arguments
            of_a = _gated_sums(upstream, a, b)
            of_b = _gated_sums(ops.transpose(upstream), b, a)
            # relu(x) is x where it passes: no third loop for the weights.
            of_weights = ops.sum(a * of_a, axis=0) + ops.sum(b * of_b, axis=0)
            return of_a * weights, of_b * weights, of_weights

        def of_rows(rows):
            return _tile(rows[0], b, weights)

        return _map_rows(of_rows, (a,), b), gradient

    arguments = map(ops.convert_to_tensor, (a, b, weights))
    return ops.custom_gradient(looped)(*arguments)


def _tile(a, b, weights):
    hidden = ops.relu(ops.expand_dims(a, 1) + b)  # (N, K, H)
    return ops.tensordot(hidden, weights, axes=1)


def _gated_sums(upstream, a, b):
    """Sum over j of upstream[i, j] where a[i, h] + b[j, h] > 0: (N, H)."""

    def of_rows(rows):
        a_rows, upstream_rows = rows
        passes = ops.cast(ops.expand_dims(a_rows, 1) + b > 0, b.dtype)
        sums = ops.matmul(ops.expand_dims(upstream_rows, 1), passes)
        return ops.squeeze(sums, 1)  # (rows, 1, H) before

    return _map_rows(of_rows, (a, upstream), b)


def _map_rows(of_rows, arrays, b):
    """`of_rows` on some rows of each array at a time, joined again."""
    rows = _rows_of_a_step(arrays[0], b)
    groups = tuple(ops.reshape(x, (-1, rows, ops.shape(x)[1])) for x in arrays)
    results = ops.map(of_rows, groups)  # (steps, rows, ...)
    return ops.reshape(results, (-1, ops.shape(results)[2]))


def _rows_of_a_step(a, b):
    """The largest divisor of the number of rows that is not too large."""
    count = a.shape[0]
    if count is None:
        return 1
    most = max(1, min(count, _TILE * count // _num_units(a, b)))
    return max(n for n in range(1, most + 1) if count % n == 0)


def _num_units(a, b):
    """N * K * H; infinite where a size is not known."""
    sizes = (*a.shape, b.shape[0])
    return math.inf if None in sizes else math.prod(sizes)
