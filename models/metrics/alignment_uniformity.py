"""Alignment and uniformity of a contrastive embedding.

Wang & Isola, "Understanding Contrastive Representation Learning through
Alignment and Uniformity on the Hypersphere" (ICML 2020), with their exponents
2 and t = 2. A collapsed embedding is aligned, with a uniformity of 0.
"""

from keras import ops

from models.numerics.unit_norm import unit_norm

# Leaves a row's distance to itself out.
_MASKED = -1e9


def alignment(z_a, z_b):
    """Squared distance of the two views of each clip, on the unit sphere.

    Args:
      z_a, z_b: (n, d), not normalised.

    Returns:
      (n,) in [0, 4]; the published figure is its mean.
    """
    return ops.sum(ops.square(unit_norm(z_a) - unit_norm(z_b)), axis=-1)


def uniformity(z):
    """log of the mean of exp(-2 |z_i - z_j|^2) over pairs of rows i != j.

    Args:
      z: (N, d) of N > 1 clips, not normalised.

    Returns:
      Scalar in [-8, 0]; lower is more uniform. Memory is that of (N, N).
    """
    z = unit_norm(z)
    # |z_i - z_j|^2 = 2 - 2 cos
    exponents = 4.0 * (ops.matmul(z, ops.transpose(z)) - 1.0)
    rows = ops.arange(ops.shape(z)[0])
    is_own = ops.expand_dims(rows, 1) == rows
    exponents = ops.where(is_own, _MASKED, exponents)
    count = ops.cast(ops.shape(z)[0], z.dtype)
    return ops.logsumexp(exponents) - ops.log(count * (count - 1.0))
