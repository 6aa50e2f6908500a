"""Scale-invariant signal-to-distortion ratio of separated channels.

NumPy in float64. SI-SDR as defined by Le Roux et al., "SDR - half-baked or
well done?" (ICASSP 2019), without removal of the mean.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

# Our choice: values are limited to +-100 dB, so that a perfect or an empty
# estimate does not make an average infinite.
LIMIT_DB = 100.0
# Our choice: a reference is silent at or below this mean power, -100 dB
# relative to a power of one.
SILENT_POWER = 1e-10


def si_sdr(references: np.ndarray, estimates: np.ndarray) -> np.ndarray:
    """SI-SDR in dB, limited to +-100 dB.

    A silent estimate scores -100 dB. So does, by convention, any estimate of
    an all-zero reference, which SI-SDR does not define: use the functions
    below, which leave silent references out.

    Args:
        references: (..., samples).
        estimates: (..., samples), broadcast against the references.

    Returns:
        (...), float64.
    """
    references = np.asarray(references, np.float64)
    estimates = np.asarray(estimates, np.float64)
    energy = np.sum(references**2, axis=-1)
    scale = np.sum(references * estimates, axis=-1) / np.where(
        energy > 0, energy, 1.0
    )
    target = scale[..., None] * references
    target_energy = np.sum(target**2, axis=-1)
    error_energy = np.sum((estimates - target) ** 2, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 10 * np.log10(target_energy / error_energy)
    value = np.where(target_energy > 0, value, -LIMIT_DB)
    return np.clip(value, -LIMIT_DB, LIMIT_DB)


def si_sdr_improvement(
    references: np.ndarray, estimates: np.ndarray, mixture: np.ndarray
) -> np.ndarray:
    """SI-SDR of the estimates minus that of the mixture, in dB.

    Args:
        references: (..., samples).
        estimates: (..., samples).
        mixture: (samples,) or a shape that broadcasts with the references.

    Returns:
        (...), float64; 0 for an all-zero reference.
    """
    return si_sdr(references, estimates) - si_sdr(references, mixture)


def mixit_matched_improvement(
    references: np.ndarray, estimates: np.ndarray
) -> np.ndarray:
    """SI-SDR improvement of sums of estimates, each added to one reference.

    The assignment is that with the least summed squared error over all
    references, among all ways to give each estimate to one reference and
    each reference that sounds at least one: the measure of Wisdom et al.
    (NeurIPS 2020) for mixtures of mixtures. The squared error, and that no
    reference goes empty, since nothing has no SI-SDR, are our choice; with
    too few estimates for that, some do. Silent references take part
    in the assignment (what lands there is lost to the others), not in the
    result.

    Args:
        references: (references, samples), the mixtures or the sources.
        estimates: (estimates, samples).

    Returns:
        (active,) in dB, of the references that sound, over the sum of all.
        Where one of them sounds alone it is that sum, and there is nothing
        to gain: report such examples apart.
    """
    references = np.asarray(references, np.float64)
    estimates = np.asarray(estimates, np.float64)
    count = len(references)
    # Row k says which reference gets each estimate in assignment k.
    owner = np.stack(
        [x.ravel() for x in np.indices((count,) * len(estimates))], axis=-1
    )  # (assignments, estimates)
    active = _active(references)
    if len(active) <= len(estimates):
        served = (owner[:, None] == active[:, None]).any(axis=2)
        owner = owner[served.all(axis=1)]
    # The error is a quadratic form in the Gram matrix.
    gram = estimates @ estimates.T
    products = references @ estimates.T
    error = np.zeros(len(owner))
    for reference in range(count):
        chosen = (owner == reference).astype(np.float64)
        error += np.sum((chosen @ gram) * chosen, axis=1)
        error -= 2 * chosen @ products[reference]
    best = owner[np.argmin(error)]
    sums = (best == np.arange(count)[:, None]) @ estimates
    return _improvement_over_sum(references, active, sums[active])


def oracle_matched_improvement(
    references: np.ndarray, estimates: np.ndarray
) -> np.ndarray:
    """SI-SDR improvement of single estimates, each reference with its own.

    The matching has the greatest mean SI-SDR over the references that
    sound; estimates that are left over count nowhere.

    Args:
        references: (references, samples).
        estimates: (estimates, samples).

    Returns:
        As `mixit_matched_improvement`.

    Raises:
        ValueError: When more references sound than there are estimates.
    """
    references = np.asarray(references, np.float64)
    estimates = np.asarray(estimates, np.float64)
    active = _active(references)
    if len(active) > len(estimates):
        raise ValueError(
            "Each reference that sounds needs an estimate of its own. "
            f"Received: {len(active)} references and {len(estimates)} "
            "estimates; use mixit_matched_improvement, or add sources to the "
            "separator"
        )
    pairwise = si_sdr(references[active, None], estimates[None])
    _, columns = linear_sum_assignment(pairwise, maximize=True)
    return _improvement_over_sum(references, active, estimates[columns])


def _active(references):
    return np.flatnonzero(np.mean(references**2, axis=-1) > SILENT_POWER)


def _improvement_over_sum(references, active, estimates):
    return si_sdr_improvement(
        references[active], estimates, references.sum(axis=0)
    )
