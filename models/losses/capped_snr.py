"""Negative signal-to-noise ratio, softly capped."""

import math

from keras import ops

from models.numerics.precision import loss_dtype

# Keeps the logarithm finite where reference and error are both silent.
_ENERGY_FLOOR = 1e-8
_DB_PER_LOG = 10.0 / math.log(10.0)


def capped_error_db(error_energy, reference_energy, max_snr_db: float = 30.0):
    """Error level in dB that stops falling max_snr_db below the reference.

    10 log10(error + 10^(-max_snr_db / 10) * reference + 1e-8), where both
    energies are sums over time. Up to the level of the reference this is the
    negative SNR of Wisdom et al. (NeurIPS 2020), equation 2; without the
    division, a silent reference has a finite loss.

    Args:
        error_energy: Energy of reference minus estimate, any shape.
        reference_energy: Energy of the reference, of a shape that broadcasts
            with it.
        max_snr_db: SNR from which on better estimates earn less and less.

    Returns:
        The level in dB.
    """
    soft_floor = 10.0 ** (-max_snr_db / 10.0) * reference_energy
    return _DB_PER_LOG * ops.log(error_energy + soft_floor + _ENERGY_FLOOR)


def capped_snr_loss(references, estimates, max_snr_db: float = 30.0):
    """Capped error level of estimates; lower is better.

    Args:
        references: (..., samples).
        estimates: (..., samples).
        max_snr_db: See `capped_error_db`.

    Returns:
        (...), in dB; it grows with the length and the level of the signals.
    """
    dtype = loss_dtype(references, estimates)
    references = ops.cast(references, dtype)
    estimates = ops.cast(estimates, dtype)
    error_energy = ops.sum(ops.square(references - estimates), axis=-1)
    reference_energy = ops.sum(ops.square(references), axis=-1)
    return capped_error_db(error_energy, reference_energy, max_snr_db)
