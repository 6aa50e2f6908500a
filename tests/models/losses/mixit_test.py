"""MixIT against stored values, and against all mixed waveforms."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from models.losses.capped_snr import capped_snr_loss
from models.losses.mixit import SEARCHES, mixit_loss
from tests.agreement import largest_difference, relative_difference
from tests.golden.loading import load

SOURCE = "sound-separation"


def _brute_force(mixtures, estimates, max_snr_db=30.0):
    """Losses of all assignments, mixed in float64, of one example."""
    mixtures = mixtures.astype(np.float64)
    estimates = estimates.astype(np.float64)
    floor = 10 ** (-max_snr_db / 10) * np.sum(mixtures**2, axis=-1) + 1e-8
    errors = []
    for owner in itertools.product((0, 1), repeat=len(estimates)):
        matrix = np.equal.outer((0, 1), owner).astype(np.float64)
        residual = mixtures - matrix @ estimates
        errors.append(np.sum(residual**2, axis=-1))
    return np.mean(10 * np.log10(np.stack(errors) + floor), axis=-1)


def _assignment_number(mix_matrix):
    digits = np.asarray(mix_matrix)[1].astype(int)
    return int("".join(map(str, digits)), 2)


@pytest.mark.parametrize("num_estimates", [4, 8])
def test_equals_the_reference(agrees, num_estimates):
    golden = load(f"mixit_m{num_estimates}")
    estimates = tf.constant(golden["estimates"])
    with tf.GradientTape() as tape:
        tape.watch(estimates)
        loss, mix_matrix = mixit_loss(golden["references"], estimates)
        mean = tf.reduce_mean(loss)
    part = f"MixIT, {num_estimates} estimates"
    difference = largest_difference(loss, golden["loss"])
    agrees(f"{part}: loss", SOURCE, difference, 2e-5, "dB")
    # Ties included: they go to the first assignment here and there.
    np.testing.assert_array_equal(mix_matrix, golden["mix_matrix"])
    if num_estimates == 4:
        stored = golden["grad_mean_loss_every_4th_sample"]
        gradient = tape.gradient(mean, estimates)[:, :, ::4]
        for ours, theirs in zip(gradient, stored, strict=True):
            difference = relative_difference(ours, theirs)
            agrees(f"{part}: gradient (relative)", SOURCE, difference, 1e-5)


@pytest.mark.parametrize("num_estimates", [4, 8])
def test_every_assignment_costs_what_it_does_in_the_reference(
    agrees, num_estimates
):
    golden = load(f"mixit_m{num_estimates}")
    references, estimates = golden["references"], golden["estimates"]
    owners = itertools.product((0, 1), repeat=num_estimates)
    matrices = np.equal.outer(list(owners), (0, 1)).astype(np.float32)
    # (2^M, M, 2)
    costs = np.stack(
        [
            capped_snr_loss(references, np.swapaxes(m, 0, 1) @ estimates)
            for m in matrices
        ]
    )  # (2^M, batch, 2)
    losses = np.mean(costs, axis=-1).T
    part = f"MixIT, {num_estimates} estimates"
    difference = largest_difference(losses, golden["loss_all_assignments"])
    agrees(f"{part}: all assignments", SOURCE, difference, 2e-5, "dB")
    best = np.argmin(losses, axis=1)
    difference = largest_difference(
        costs[best, np.arange(5)], golden["loss_per_reference"]
    )
    agrees(f"{part}: each mixture", SOURCE, difference, 2e-5, "dB")
    first, second = np.sort(losses, axis=1)[:, :2].T
    difference = largest_difference(second - first, golden["margin_db"])
    agrees(f"{part}: margin", SOURCE, difference, 2e-5, "dB")
    np.testing.assert_array_equal(second == first, golden["tie"])


@pytest.mark.parametrize(
    "num_estimates, max_snr_db", [(2, 30), (3, 10), (5, 30), (8, 30)]
)
def test_equals_mixing_every_assignment(num_estimates, max_snr_db):
    """150 examples a size, ties among them."""
    rng = np.random.default_rng(num_estimates)
    estimates = rng.normal(size=(150, num_estimates, 23)).astype("f4")
    mixtures = rng.normal(size=(150, 2, 23)).astype("f4")
    estimates[:30, -1] = estimates[:30, 0]  # same channel twice
    estimates[30:60, 0] = 0.0
    mixtures[60:80, 1] = mixtures[60:80, 0]  # either order is as good
    # Nearly perfect splits, where the Gram form cancels; with duplicates.
    owners = rng.integers(0, 2, (70, num_estimates))
    for i in (0, 1):
        own = (owners == i)[..., None] * estimates[80:]
        mixtures[80:, i] = own.sum(axis=1)
    estimates[80:] += 1e-3 * rng.normal(size=estimates[80:].shape)
    estimates[115:, -1] = estimates[115:, 0]
    loss, mix_matrix = mixit_loss(mixtures, estimates, max_snr_db)
    ties = 0
    for i in range(150):
        losses = _brute_force(mixtures[i], estimates[i], max_snr_db)
        equal = np.flatnonzero(losses < losses.min() + 1e-5)
        assert _assignment_number(mix_matrix[i]) == equal[0]
        ties += len(equal) > 1
        assert float(loss[i]) == pytest.approx(losses.min(), abs=1e-4)
    assert ties > 60


@pytest.mark.parametrize("dtype,tie_db", [("f4", 1e-5), ("f8", 1e-10)])
def test_assignments_within_rounding_count_as_equal(dtype, tie_db):
    for share, number in ((0.5, 0), (2.0, 1)):
        # To first order the second mixture is better by 0.868 dB a unit that
        # its sample is below 1.
        sample = 1 - share * tie_db / 0.868
        mixtures = np.array([[[1, 0], [0, sample]]], dtype)
        estimates = np.full((1, 1, 2), 0.25, dtype)
        of_first, of_second = _brute_force(mixtures[0], estimates[0])
        lead = of_first - of_second
        assert lead == pytest.approx(share * tie_db, rel=0.05)
        _, mix_matrix = mixit_loss(mixtures, estimates)
        assert _assignment_number(mix_matrix[0]) == number


@pytest.mark.parametrize("num_estimates", [2, 3, 8, 17, 32, 64])
def test_least_squares_finds_the_sources(num_estimates):
    rng = np.random.default_rng(num_estimates)
    sources = rng.normal(size=(3, num_estimates, 501)).astype("f4")
    # Of levels up to 20 dB apart.
    sources *= 10 ** rng.uniform(-1, 0, (3, num_estimates, 1)).astype("f4")
    owners = rng.integers(0, 2, (3, num_estimates))
    matrix = np.stack([1 - owners, owners], axis=1).astype("f4")
    estimates = tf.constant(
        sources * (1 + 1e-2 * rng.normal(size=sources.shape)), tf.float32
    )
    with tf.GradientTape() as tape:
        tape.watch(estimates)
        loss, found = mixit_loss(
            matrix @ sources, estimates, search="least_squares"
        )
    np.testing.assert_array_equal(found, matrix)
    # The gradient is that of the assignment, held fixed.
    gradient = tape.gradient(loss, estimates)
    with tf.GradientTape() as tape:
        tape.watch(estimates)
        fixed = capped_snr_loss(matrix @ sources, tf.matmul(found, estimates))
        fixed = tf.reduce_mean(fixed, axis=1)
    expected = tape.gradient(fixed, estimates)
    np.testing.assert_allclose(loss, fixed, atol=1e-4)
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-4)
    if num_estimates <= 8:
        exact, best = mixit_loss(matrix @ sources, estimates)
        np.testing.assert_array_equal(found, best)
        np.testing.assert_array_equal(loss, exact)


@pytest.mark.parametrize("num_estimates", [3, 64])
def test_least_squares_of_silent_and_equal_estimates(num_estimates):
    rng = np.random.default_rng(0)
    mixtures = rng.normal(size=(5, 2, 101)).astype("f4")
    estimates = rng.normal(size=(5, num_estimates, 101)).astype("f4")
    estimates[0] = 0.0  # all silent
    estimates[1, 1] = 0.0
    estimates[2] = mixtures[2, 1]  # all the second mixture
    mixtures[3] = 0.0
    mixtures[4, 1] = mixtures[4, 0]  # either is as good
    estimates = tf.constant(estimates)
    with tf.GradientTape() as tape:
        tape.watch(estimates)
        loss, found = mixit_loss(mixtures, estimates, search="least_squares")
    assert np.isfinite(loss).all()
    assert np.isfinite(tape.gradient(loss, estimates)).all()
    second = found.numpy()[:, 1]
    assert not second[0].any() and not second[1, 1]
    assert second[2].all()
    assert not second[3].any() and not second[4].any()


@pytest.mark.parametrize("search", SEARCHES)
def test_a_diverged_network_gives_a_loss_that_is_not_finite(search):
    mixtures = np.ones((2, 2, 9), "f4")
    estimates = np.ones((2, 4, 9), "f4")
    estimates[1, 2, 3] = np.nan
    loss, _ = mixit_loss(mixtures, estimates, search=search)
    assert np.isfinite(loss[0]) and np.isnan(loss[1])


def test_exact_split_reaches_the_cap():
    """Energies 4 and 400: mean of 10 log10(0.004) and 10 log10(0.4)."""
    mixtures = np.stack([np.ones(4), 10 * np.ones(4)])[None]
    loss, mix_matrix = mixit_loss(mixtures, mixtures[:, ::-1])
    expected = 10 * (np.log10(0.004) + np.log10(0.4)) / 2
    np.testing.assert_allclose(loss, [expected], atol=1e-4)
    np.testing.assert_array_equal(mix_matrix[0], [[0, 1], [1, 0]])


@pytest.mark.parametrize("search", SEARCHES)
def test_graph_of_unknown_batch_and_length_equals_eager(search):
    rng = np.random.default_rng(0)
    mixtures = rng.normal(size=(3, 2, 101)).astype("f4")
    estimates = rng.normal(size=(3, 4, 101)).astype("f4")
    graph = tf.function(
        lambda m, e: mixit_loss(m, e, search=search),
        input_signature=[
            tf.TensorSpec([None, 2, None]),
            tf.TensorSpec([None, 4, None]),
        ],
    )
    for found, expected in zip(
        graph(mixtures, estimates),
        mixit_loss(mixtures, estimates, search=search),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_silence_is_finite_and_has_a_zero_gradient():
    mixtures, estimates = tf.zeros([2, 2, 50]), tf.zeros([2, 3, 50])
    with tf.GradientTape() as tape:
        tape.watch(estimates)
        loss, mix_matrix = mixit_loss(mixtures, estimates)
    np.testing.assert_allclose(loss, -80.0, atol=1e-4)
    np.testing.assert_array_equal(mix_matrix[0], [[1, 1, 1], [0, 0, 0]])
    np.testing.assert_array_equal(tape.gradient(loss, estimates), 0.0)


@pytest.mark.parametrize(
    "mixtures,estimates,search,message",
    [
        ((1, 3, 9), (1, 4, 9), "exact", r"\(batch, 2, samples\).*\(1, 3, 9\)"),
        ((1, 2, 9), (1, 9), "exact", r"\(batch, M, samples\).*\(1, 9\)"),
        ((1, 2, 9), (1, 17, 9), "exact", r"at most 16.*least_sq.*\(1, 17, 9\)"),
        ((1, 2, 9), (1, 2, 9), "greedy", "exact, least_squares.*: greedy"),
    ],
)
def test_wrong_arguments_are_refused(mixtures, estimates, search, message):
    with pytest.raises(ValueError, match=message):
        mixit_loss(np.zeros(mixtures), np.zeros(estimates), search=search)


def test_capped_snr_by_hand():
    """Error 1, reference 100: 10 log10(1 + 0.1) at a cap of 30 dB."""
    loss = capped_snr_loss(np.float32([[10.0, 0.0]]), np.float32([[10.0, 1.0]]))
    np.testing.assert_allclose(loss, [10 * np.log10(1.1)], atol=1e-5)
