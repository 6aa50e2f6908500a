"""95 % intervals of figures, by recording."""

import math
from typing import NamedTuple

import numpy as np
from scipy import special, stats

from evaluate.uncertainty.influence import Influence

CONFIDENCE = 0.95
# Our choice, by simulation: how much the jackknife's variance counts beside
# that of its limit, in figures and in differences of two.
_JACKKNIFE_SHARE, _OF_DIFFERENCES = 0.5, 0.25


class Spread(NamedTuple):
    """Standard error of a figure, and the degrees of freedom it has."""

    error: float
    freedom: float

    @property
    def reach(self) -> float:
        """Half of a 95 % interval, by Student's t."""
        return stats.t.ppf((1 + CONFIDENCE) / 2, self.freedom) * self.error


def spread(
    influence: Influence,
    recordings: np.ndarray,
    jackknife_share: float = _JACKKNIFE_SHARE,
) -> Spread:
    """What a figure would vary by, had other recordings been drawn.

    The variance is a geometric mean of the infinitesimal jackknife's, which is
    that of the bootstrap and too small where a class has few positives, and
    the jackknife's, which is too large there. The percentile bootstrap of
    average precision covers less: a positive that is drawn twice is a pair of
    hits. Few clips carry most of the variance, so degrees of freedom are
    Satterthwaite's, by the fourth moment of the influences.

    Args:
      influence: of clips.
      recordings: (clips,), whole numbers: clips of one recording stand or fall
        together.
      jackknife_share: weight of the latter in the mean.
    """
    _, recordings = np.unique(recordings, return_inverse=True)
    of_recording, deleted = (
        np.bincount(recordings, part)
        for part in (influence.derivative, influence.deletion)
    )
    count = len(of_recording)
    if count < 2:
        return Spread(math.nan, 1.0)
    moved = of_recording - of_recording.mean()
    squares = np.sum(moved**2)
    limit = count / (count - 1) * squares
    jackknife = (count - 1) / count * np.sum((deleted - deleted.mean()) ** 2)
    share = jackknife_share
    variance = float(limit ** (1 - share) * jackknife**share)
    excess = np.sum(moved**4) - squares**2 / count
    freedom = 2 * squares**2 / excess if excess > 0 else count - 1
    return Spread(
        math.sqrt(variance),
        float(min(max(freedom, 2), count - 1)),
    )


def spread_of_difference(
    influence: Influence, recordings: np.ndarray
) -> Spread:
    """The same of a difference of two figures."""
    return spread(influence, recordings, _OF_DIFFERENCES)


def of_share(
    influence: Influence, recordings: np.ndarray
) -> tuple[float, float]:
    """The interval of a figure between 0 and 1, on the scale of its logit.

    A figure of 0 or 1 gets that of a share of the recordings (Clopper and
    Pearson).
    """
    value = influence.value
    if not 0 < value < 1:
        one_sided = ((1 - CONFIDENCE) / 2) ** (1 / len(np.unique(recordings)))
        return (one_sided, 1.0) if value >= 1 else (0.0, 1 - one_sided)
    reach = spread(influence, recordings).reach / (value * (1 - value))
    at = special.logit(value)
    return float(special.expit(at - reach)), float(special.expit(at + reach))


def of_difference(
    influence: Influence, recordings: np.ndarray
) -> tuple[float, float]:
    """The interval of a difference of two figures."""
    reach = spread_of_difference(influence, recordings).reach
    return influence.value - reach, influence.value + reach


def of_repetitions(values: np.ndarray) -> tuple[float, float]:
    """The interval of the mean of independent repetitions: seeds, draws."""
    values = np.asarray(values, np.float64)
    if len(values) < 2:
        return math.nan, math.nan
    error = values.std(ddof=1) / math.sqrt(len(values))
    reach = Spread(error, len(values) - 1).reach
    return float(values.mean() - reach), float(values.mean() + reach)
