"""SI-SDR and its matchings against stored values."""

import numpy as np
import pytest

from models.losses.capped_snr import capped_snr_loss
from models.metrics.si_sdr import (
    mixit_matched_improvement,
    oracle_matched_improvement,
    si_sdr,
    si_sdr_improvement,
)
from tests.agreement import largest_difference
from tests.golden.loading import load

SOURCE = "fast_bss_eval, float64"
GOLDEN = load("si_sdr")


def test_pairs_equal_the_stored_values(agrees):
    references, estimates = GOLDEN["pair_reference"], GOLDEN["pair_estimate"]
    difference = largest_difference(
        si_sdr(references, estimates), GOLDEN["pair_si_sdr"]
    )
    agrees("SI-SDR", SOURCE, difference, 1e-8, "dB")

    def centred(signals):
        signals = signals.astype(np.float64)
        return signals - signals.mean(axis=1, keepdims=True)

    difference = largest_difference(
        si_sdr(centred(references), centred(estimates)),
        GOLDEN["pair_si_sdr_zero_mean"],
    )
    agrees("SI-SDR, means removed", SOURCE, difference, 1e-8, "dB")


def test_loss_without_a_cap_is_the_negative_snr(agrees):
    references, estimates = GOLDEN["pair_reference"], GOLDEN["pair_estimate"]
    loss = capped_snr_loss(references, estimates, max_snr_db=200.0)
    energy = np.sum(references.astype(np.float64) ** 2, axis=1)
    difference = largest_difference(
        10 * np.log10(energy) - loss, GOLDEN["pair_snr"]
    )
    agrees("capped SNR, cap at 200 dB", "float64", difference, 1e-4, "dB")


@pytest.mark.parametrize("sources", ["multi2", "multi4"])
def test_matched_sources_equal_the_stored_values(agrees, sources):
    references = GOLDEN[f"{sources}_reference"]
    estimates = GOLDEN[f"{sources}_estimate"]
    mixture = GOLDEN[f"{sources}_mixture"]
    # The stored mixture is rounded to float32, that of the matching is not.
    before = si_sdr(references, references.sum(axis=0, dtype=np.float64))
    matched = oracle_matched_improvement(references, estimates) + before
    of_mixture = si_sdr(references, mixture)
    for part, value, key in (
        (
            "every pair",
            si_sdr(references[:, None], estimates[None]),
            "si_sdr_pairwise_ref_by_est",
        ),
        ("best matching", matched, "si_sdr"),
        ("of the mixture", of_mixture, "si_sdr_of_mixture"),
        ("improvement", matched - of_mixture, "si_sdr_improvement"),
    ):
        difference = largest_difference(value, GOLDEN[f"{sources}_{key}"])
        agrees(f"SI-SDR, {part}", SOURCE, difference, 1e-8, "dB")


def test_scale_does_not_matter_and_limits_hold():
    reference = GOLDEN["pair_reference"]
    estimate = GOLDEN["pair_estimate"]
    np.testing.assert_allclose(
        si_sdr(reference, -7.0 * estimate),
        si_sdr(reference, estimate),
        atol=1e-9,
    )
    assert si_sdr([1.0, 2.0], [3.0, 6.0]) == 100.0
    assert si_sdr([1.0, 2.0], [0.0, 0.0]) == -100.0
    assert si_sdr([0.0, 0.0], [1.0, 0.0]) == -100.0
    assert si_sdr([0.0, 0.0], [0.0, 0.0]) == -100.0


def _sources(seed=0):
    return np.random.default_rng(seed).normal(size=(3, 2001))


def test_mixit_matching_finds_which_channels_belong_together():
    first, second, third = _sources()
    references = np.stack([first + third, second])
    estimates = np.stack([third, second, first, np.zeros(2001)])
    before = si_sdr(references, references.sum(axis=0))
    found = mixit_matched_improvement(references, estimates)
    np.testing.assert_allclose(found, 100.0 - before)


def test_mixit_matching_equals_trying_every_assignment():
    rng = np.random.default_rng(1)
    for _ in range(50):
        references = rng.normal(size=(3, 31))
        estimates = rng.normal(size=(4, 31))
        sums = [
            np.eye(3)[:, list(owner)] @ estimates
            for owner in np.ndindex(3, 3, 3, 3)
            if set(owner) == {0, 1, 2}  # Each reference gets an estimate.
        ]
        errors = [np.sum((references - sum_) ** 2) for sum_ in sums]
        np.testing.assert_allclose(
            mixit_matched_improvement(references, estimates),
            si_sdr_improvement(
                references, sums[np.argmin(errors)], references.sum(axis=0)
            ),
        )


def test_silent_references_are_left_out():
    first, second, _ = _sources()
    references = np.stack([first, np.zeros(2001), second])
    estimates = np.stack([second + 0.1 * first, first])
    for matched in (oracle_matched_improvement, mixit_matched_improvement):
        found = matched(references, estimates)
        assert found.shape == (2,) and np.isfinite(found).all()
        # The first is found exactly, and has 0 dB in the sum.
        assert found[0] == pytest.approx(100, abs=0.5)
        silence = np.zeros((2, 50))
        assert matched(silence, silence).size == 0


def test_too_few_estimates_are_refused():
    with pytest.raises(ValueError, match="3 references and 2 estimates"):
        oracle_matched_improvement(_sources(), _sources()[:2])
