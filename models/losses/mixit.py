"""Mixture invariant training: the best assignment to two mixtures."""

import keras
import numpy as np
from keras import ops

from models.losses.capped_snr import capped_error_db, capped_snr_loss
from models.numerics.precision import loss_dtype

SEARCHES = ("exact", "least_squares")

# The exact search has a table of 2**M assignments.
MAX_EXACT_ESTIMATES = 16

# Differences within which assignments count as equal, by precision of the
# inputs: dB of the exact search, relative size of least-squares entries.
_TIE = {"float32": 1e-5, "float64": 1e-10}

# Added to the Gram matrix of estimates of energy 1 (Tikhonov), by precision
# of the search: silent and duplicated estimates still have one solution (our
# choice).
_RIDGE = {"float32": 1e-5, "float64": 1e-8}


def mixit_loss(
    mixtures, estimates, max_snr_db: float = 30.0, search: str = "exact"
):
    """Loss of the estimates under their best assignment to the mixtures.

    Every estimate goes to exactly one mixture, a mixture may get none, and
    the loss is the mean over the two mixtures of the capped error level. The
    assignment is searched through the M x M Gram matrix of the estimates:
    time is O(M^2 T), memory O(M T), and nothing is ever mixed to find it.

    "exact" compares all 2^M assignments: Wisdom et al., "Unsupervised Sound
    Separation Using Mixture Invariant Training" (NeurIPS 2020), equation 1.
    "least_squares" takes the mixing matrix that is best without the
    constraint, and the larger entry of each column, for any M: Wisdom et al.,
    "Sparse, Efficient, and Semantic Mixture Invariant Training" (WASPAA
    2021). Its loss is never below the exact one.

    The gradient flows through the chosen assignment only. The loss is
    computed in float32, or float64 where an input is float64; the search in
    float64.

    Args:
        mixtures: (batch, 2, samples).
        estimates: (batch, M, samples), from the sum of the two mixtures.
        max_snr_db: Soft cap, see `capped_error_db`.
        search: One of `SEARCHES`.

    Returns:
        loss: (batch,), in dB.
        mix_matrix: (batch, 2, M) of zeros and ones, one 1 in a column. Of
            assignments whose losses are equal to 1e-5 dB (float64: 1e-10 dB)
            it is the first, where an assignment is a binary number of M
            digits (0 for the first mixture) and the first estimate its
            leading digit. Least squares gives an estimate to the first
            mixture where its two entries are as close, relatively.

    Raises:
        ValueError: For shapes other than these, an unknown search, or M above
            16 in the exact one.
    """
    shapes = (
        f"Received: mixtures.shape={tuple(mixtures.shape)}, "
        f"estimates.shape={tuple(estimates.shape)}"
    )
    if search not in SEARCHES:
        raise ValueError(
            f"search must be one of {', '.join(SEARCHES)}. Received: {search}"
        )
    if len(mixtures.shape) != 3 or mixtures.shape[1] != 2:
        raise ValueError(
            f"mixtures must have shape (batch, 2, samples). {shapes}"
        )
    if len(estimates.shape) != 3 or estimates.shape[1] is None:
        raise ValueError(
            "estimates must have shape (batch, M, samples) with a known M. "
            f"{shapes}"
        )
    if search == "exact" and estimates.shape[1] > MAX_EXACT_ESTIMATES:
        raise ValueError(
            f"The exact search takes at most {MAX_EXACT_ESTIMATES} estimates; "
            f"take search='least_squares' or fewer. {shapes}"
        )
    dtype = loss_dtype(mixtures, estimates)
    mixtures = ops.cast(mixtures, dtype)
    estimates = ops.cast(estimates, dtype)
    # The Gram form cancels for good estimates. JAX has no float64 unless it
    # is told so.
    precise = dtype if keras.backend.backend() == "jax" else "float64"
    known, parts = (
        ops.cast(ops.stop_gradient(x), precise) for x in (mixtures, estimates)
    )
    across = ops.transpose(parts, (0, 2, 1))
    gram = ops.matmul(parts, across)  # (batch, M, M)
    products = ops.matmul(known, across)  # (batch, 2, M)
    if search == "exact":
        energies = ops.sum(ops.square(known), axis=-1)  # (batch, 2)
        second = _best_of_all(gram, products, energies, _TIE[dtype], max_snr_db)
    else:
        second = _larger_entries(gram, products, _TIE[dtype])
    second = ops.cast(second, dtype)  # (batch, M)
    mix_matrix = ops.stack([1.0 - second, second], axis=1)
    # Value and gradient come from the residual. Products and sums instead of
    # a matrix product, which accelerators may round to fewer bits.
    losses = [
        capped_snr_loss(
            mixtures[:, i],
            ops.sum(ops.expand_dims(mix_matrix[:, i], -1) * estimates, axis=1),
            max_snr_db,
        )
        for i in range(2)
    ]
    return (losses[0] + losses[1]) / 2.0, mix_matrix


def _best_of_all(gram, products, energies, tie_db, max_snr_db):
    """1 for the estimates of the second mixture: (batch, M)."""
    digits = np.arange(gram.shape[1])[::-1]
    # Row k: the estimates that assignment k gives to the second mixture.
    chosen = (np.arange(2 ** len(digits))[:, None] >> digits) & 1
    chosen = ops.convert_to_tensor(chosen, gram.dtype)  # (2^M, M)
    remix_energy = ops.sum(ops.matmul(chosen, gram) * chosen, axis=-1)
    # (batch, 2^M)
    inner = ops.matmul(products, ops.transpose(chosen))  # (batch, 2, 2^M)
    # Row 2^M - 1 - k holds the complement of row k: what is left for the
    # first mixture.
    error_first = ops.flip(remix_energy - 2.0 * inner[:, 0], axis=1)
    error_second = remix_energy - 2.0 * inner[:, 1]
    errors = ops.stack([error_first, error_second], axis=1)
    # (batch, 2, 2^M)
    energies = ops.expand_dims(energies, -1)
    # Rounding can leave a vanishing error slightly negative.
    errors = ops.maximum(errors + energies, 0.0)
    losses = ops.mean(capped_error_db(errors, energies, max_snr_db), axis=1)
    # The first of the best; the first of all where a network has diverged.
    worse = losses > ops.min(losses, axis=1, keepdims=True) + tie_db
    last = chosen.shape[0] - 1
    best = ops.min(ops.where(worse, last, ops.arange(last + 1)), axis=1)
    return ops.take(chosen, best, axis=0)


def _larger_entries(gram, products, tie):
    """As `_best_of_all`, by the larger entry of a least-squares column."""
    energies = ops.diagonal(gram, axis1=1, axis2=2)  # (batch, M)
    # Estimates of energy 1, so that the ridge does not depend on their level.
    scale = ops.where(energies > 0, ops.rsqrt(energies), 0.0)
    identity = ops.eye(gram.shape[1], dtype=gram.dtype)
    gram = gram * ops.expand_dims(scale, 1) * ops.expand_dims(scale, 2)
    gram = gram + _RIDGE[keras.backend.standardize_dtype(gram.dtype)] * identity
    # A diverged network must reach the caller as a loss that is not finite.
    gram = ops.where(ops.isfinite(gram), gram, identity)
    right = ops.transpose(products * ops.expand_dims(scale, 1), (0, 2, 1))
    mixing = ops.solve(gram, right)  # (batch, M, 2)
    first, second = mixing[:, :, 0], mixing[:, :, 1]
    slack = tie * ops.maximum(ops.abs(first), ops.abs(second))
    return second > first + slack
