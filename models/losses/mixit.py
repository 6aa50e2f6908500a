"""Mixture invariant training: the best assignment to two mixtures."""

import keras
import numpy as np
from keras import ops

from models.losses.capped_snr import capped_error_db, capped_snr_loss

# The table of assignments has 2**M rows.
_MAX_ESTIMATES = 16


def mixit_loss(
    mixtures: keras.KerasTensor,
    estimates: keras.KerasTensor,
    max_snr_db: float = 30.0,
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Loss of the estimates under their best assignment to the mixtures.

    Wisdom et al., "Unsupervised Sound Separation Using Mixture Invariant
    Training" (NeurIPS 2020), equation 1. Every estimate goes to exactly one
    mixture, a mixture may get none, and the loss is the mean over the two
    mixtures of the capped error level. All 2^M assignments are compared,
    exactly, but through the M x M Gram matrix of the estimates: time is
    O(M^2 T), memory O(M T), and no assignment is ever mixed to find it.

    The gradient flows through the chosen assignment only. Computed in
    float32, or float64 where an input is float64.

    Args:
        mixtures: (batch, 2, samples).
        estimates: (batch, M, samples), from the sum of the two mixtures.
        max_snr_db: Soft cap, see `capped_error_db`.

    Returns:
        loss: (batch,), in dB.
        mix_matrix: (batch, 2, M) of zeros and ones, one 1 in a column. Of
            equally good assignments it is the first, where an assignment is
            a binary number of M digits (0 for the first mixture) and the
            first estimate its leading digit.

    Raises:
        ValueError: For shapes other than these, or M above 16.
    """
    _check_shapes(mixtures, estimates)
    dtypes = [
        keras.backend.standardize_dtype(x.dtype) for x in (mixtures, estimates)
    ]
    dtype = "float64" if "float64" in dtypes else "float32"
    mixtures = ops.cast(mixtures, dtype)
    estimates = ops.cast(estimates, dtype)
    mix_matrix = _best_mix_matrix(
        ops.stop_gradient(mixtures), ops.stop_gradient(estimates), max_snr_db
    )
    # The Gram form of the error cancels for good estimates. It is exact
    # enough to choose by; the value and the gradient come from the residual.
    # Products and sums instead of a matrix product, which accelerators may
    # round to fewer bits.
    losses = [
        capped_snr_loss(
            mixtures[:, i],
            ops.sum(ops.expand_dims(mix_matrix[:, i], -1) * estimates, axis=1),
            max_snr_db,
        )
        for i in range(2)
    ]
    return (losses[0] + losses[1]) / 2.0, mix_matrix


def _best_mix_matrix(mixtures, estimates, max_snr_db):
    """Finds the assignment with the least loss, (batch, 2, M)."""
    dtype = mixtures.dtype
    num_estimates = estimates.shape[1]
    gram = ops.matmul(estimates, ops.transpose(estimates, (0, 2, 1)))
    # (batch, M, M)
    products = ops.matmul(mixtures, ops.transpose(estimates, (0, 2, 1)))
    # (batch, 2, M)
    energies = ops.sum(ops.square(mixtures), axis=-1)  # (batch, 2)

    # Row k: the estimates that assignment k gives to the second mixture.
    chosen = ops.convert_to_tensor(_binary_digits(num_estimates), dtype)
    # (2^M, M)
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
    losses = ops.sum(capped_error_db(errors, energies, max_snr_db), axis=1)
    best = ops.argmin(losses, axis=1)  # (batch,); the first of equals
    second = ops.take(chosen, best, axis=0)  # (batch, M)
    return ops.stack([1.0 - second, second], axis=1)


def _binary_digits(num_digits):
    """All binary numbers of that many digits, (2^digits, digits)."""
    numbers = np.arange(2**num_digits)[:, None]
    return (numbers >> np.arange(num_digits)[::-1]) & 1


def _check_shapes(mixtures, estimates):
    shapes = (
        f"Received: mixtures.shape={tuple(mixtures.shape)}, "
        f"estimates.shape={tuple(estimates.shape)}"
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
    if estimates.shape[1] > _MAX_ESTIMATES:
        raise ValueError(
            f"The exact search takes at most {_MAX_ESTIMATES} estimates; "
            f"give the separator fewer sources. {shapes}"
        )
    lengths = (mixtures.shape[2], estimates.shape[2])
    if None not in lengths and lengths[0] != lengths[1]:
        raise ValueError(
            "mixtures and estimates must be equally long; cut or pad one of "
            f"them. {shapes}"
        )
