"""Scale-invariant signal-to-distortion ratio of separated channels.

NumPy in float64. SI-SDR as defined by Le Roux et al., "SDR - half-baked or
well done?" (ICASSP 2019), without removal of the mean.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

# Our choice: values are limited to +-100 dB, so that a perfect or an empty
# estimate does not make an average infinite.
LIMIT_DB = 100.0
# Our choice: a reference is silent at or below this mean power, -100 dB
# relative to a power of one.
SILENT_POWER = 1e-10


@dataclass(frozen=True)
class SeparationScore:
    """Scores of the references that sound; silent ones are left out.

    Attributes:
        references: (active,) indices of the references that sound.
        si_sdr_db: (active,) SI-SDR of what was assigned to each.
        improvement_db: (active,) the same minus the SI-SDR of the mixture,
            the sum of the references. Where one of them sounds alone it is
            the mixture, and there is nothing to gain: report such examples
            apart.
        mix_matrix: (references, estimates) of zeros and ones.
    """

    references: np.ndarray
    si_sdr_db: np.ndarray
    improvement_db: np.ndarray
    mix_matrix: np.ndarray


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


def mixit_matched_score(
    references: np.ndarray, estimates: np.ndarray
) -> SeparationScore:
    """Scores sums of estimates, each estimate added to one reference.

    The assignment is that with the least summed squared error over all
    references, among all ways to give each estimate to one reference and
    each reference that sounds at least one: the measure of Wisdom et al.
    (NeurIPS 2020) for mixtures of mixtures. The squared error, and that no
    reference goes empty, since nothing has no SI-SDR, are our choice; with
    too few estimates for that, some do. Silent references take part
    in the assignment (what lands there is lost to the others), not in the
    scores.

    Args:
        references: (references, samples), the mixtures or the sources.
        estimates: (estimates, samples).

    Returns:
        The scores; empty arrays if all references are silent.
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
    mix_matrix = (best == np.arange(count)[:, None]).astype(np.float64)
    return _score(references, estimates, mix_matrix)


def oracle_matched_score(
    references: np.ndarray, estimates: np.ndarray
) -> SeparationScore:
    """Scores single estimates, each reference matched to one of its own.

    The matching has the greatest mean SI-SDR over the references that
    sound; estimates that are left over count nowhere.

    Args:
        references: (references, samples).
        estimates: (estimates, samples).

    Returns:
        The scores; empty arrays if all references are silent.

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
            "estimates; use mixit_matched_score, or add sources to the "
            "separator"
        )
    pairwise = si_sdr(references[active, None], estimates[None])
    rows, columns = linear_sum_assignment(pairwise, maximize=True)
    mix_matrix = np.zeros((len(references), len(estimates)))
    mix_matrix[active[rows], columns] = 1.0
    return _score(references, estimates, mix_matrix)


def _active(references):
    return np.flatnonzero(np.mean(references**2, axis=-1) > SILENT_POWER)


def _score(references, estimates, mix_matrix):
    active = _active(references)
    heard, assigned = references[active], (mix_matrix @ estimates)[active]
    return SeparationScore(
        references=active,
        si_sdr_db=si_sdr(heard, assigned),
        improvement_db=si_sdr_improvement(
            heard, assigned, references.sum(axis=0)
        ),
        mix_matrix=mix_matrix,
    )
