"""Mixture consistency against stored values of the reference."""

import numpy as np
import pytest

from models.separation.mixture_consistency import mixture_consistency
from tests.agreement import largest_difference
from tests.golden.loading import load

GOLDEN = load("mixture_consistency")


@pytest.mark.parametrize("mics", ["mic1", "mic2"])
@pytest.mark.parametrize(
    "output,kind,weights",
    [
        ("uniform", "uniform", None),
        ("magsq", "magsq", None),
        ("explicit", "none", "explicit"),
        ("explicit_time_varying", "none", "time_varying"),
        # Explicit weights win over the kind, and are not normalised.
        ("explicit_not_normalised", "magsq", "not_normalised"),
    ],
)
def test_equals_the_reference(agrees, mics, output, kind, weights):
    if weights is not None:
        weights = GOLDEN[f"{mics}_weights_{weights}"]
    result = mixture_consistency(
        GOLDEN[f"{mics}_mixture"], GOLDEN[f"{mics}_separated"], kind, weights
    )
    difference = largest_difference(result, GOLDEN[f"{mics}_out_{output}"])
    agrees("mixture consistency", "sound-separation", difference, 1e-6)


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="uniform.*kind='equal'"):
        mixture_consistency(np.zeros((1, 5)), np.zeros((1, 2, 5)), "equal")
