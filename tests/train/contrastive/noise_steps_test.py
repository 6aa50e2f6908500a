import math

import pytest

from train.contrastive import noise_steps
from train.contrastive.contrastive_config import OBJECTIVES, ContrastiveConfig


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_makes_steps(shallow, objective):
    step = noise_steps.make_step(
        ContrastiveConfig(
            objective=objective,
            comparison="mix_vs_mix",
            spec_augment=objective != "triplet",
            width=1 / 16,
            batch_size=4,
        )
    )
    first = step()
    assert math.isfinite(first) and step() != first
