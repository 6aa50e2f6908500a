"""How many dimensions an embedding uses."""

from keras import ops

from models.numerics.precision import loss_dtype

# Singular values below this share of the norm of the rows are rounding: that
# of rows which are all alike would otherwise look like full rank.
_ROUNDING = 1e-6


def effective_rank(rows):
    """exp of the entropy of the normalised singular values of centred rows.

    Roy & Vetterli, "The Effective Rank: A Measure of Effective
    Dimensionality" (EUSIPCO 2007), of the matrix of rows minus their mean
    (our choice; theirs is of any matrix).

    Args:
      rows: (N, d).

    Returns:
      Scalar from 1 to min(N - 1, d); 0 where all rows are alike; NaN where
      one is not finite.
    """
    rows = ops.cast(rows, loss_dtype(rows))
    # A decomposition need not end for others.
    is_finite = ops.all(ops.isfinite(rows))
    rows = ops.where(is_finite, rows, 0.0)
    # From the first row: the mean of equal numbers is rounded.
    moved = rows - rows[:1]
    centered = moved - ops.mean(moved, axis=0, keepdims=True)
    values = ops.svd(centered, full_matrices=False, compute_uv=False)
    floor = _ROUNDING * ops.sqrt(ops.sum(ops.square(rows)))
    values = ops.where(values > floor, values, 0.0)
    total = ops.sum(values)
    shares = values / ops.where(total > 0, total, 1.0)
    entropy = -ops.sum(shares * ops.log(ops.where(shares > 0, shares, 1.0)))
    rank = ops.where(total > 0, ops.exp(entropy), 0.0)
    return ops.where(is_finite, rank, float("nan"))
