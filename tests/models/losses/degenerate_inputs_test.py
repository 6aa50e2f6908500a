"""Silent, equal, huge and tiny inputs: finite losses and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from models.heads.coincidence_head import CoincidenceHead
from models.losses.capped_snr import capped_snr_loss
from models.losses.coincidence_loss import coincidence_loss
from models.losses.mixit import mixit_loss
from models.losses.nt_xent import nt_xent
from models.losses.triplet import triplet_loss

DIM = 128
DTYPES = ("float32", "bfloat16")


def _check(function, *inputs):
    """Losses and gradients are finite; the losses are returned."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        losses = function(*inputs)
    assert losses.dtype == tf.float32
    assert np.isfinite(losses).all()
    for gradient in tape.gradient(losses, inputs):
        assert np.isfinite(tf.cast(gradient, tf.float32)).all()
    return losses


def _coincidence(h_a, h_b):
    return coincidence_loss(CoincidenceHead(DIM, 31)(h_a, h_b))[0]


OF_EMBEDDINGS = {
    "nt_xent": lambda a, b: nt_xent(a, b, 0.1)[0],
    "triplet": lambda a, b: triplet_loss(a, b, 0.1)[0],
    "coincidence": _coincidence,
}


def _embeddings(case):
    size = 2 if case == "two" else 5
    a, b = np.random.default_rng(1).normal(size=(2, size, DIM))
    if case == "zero":
        a, b = 0 * a, 0 * b
    elif case == "one zero":
        a[1] = b[2] = 0
    elif case == "identical views":
        b = a
    elif case == "opposite views":
        b = -a
    elif case == "identical clips":
        a[:] = b[:] = a[0]
    elif case == "huge":
        a, b = 1e18 * a, 1e18 * b
    elif case == "tiny":
        a, b = 1e-30 * a, 1e-30 * b
    elif case == "huge and tiny":
        a, b = 1e18 * a, 1e-18 * b
    return a, b


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "case",
    [
        "two",
        "zero",
        "one zero",
        "identical views",
        "opposite views",
        "identical clips",
        "huge",
        "tiny",
        "huge and tiny",
    ],
)
@pytest.mark.parametrize("loss", OF_EMBEDDINGS)
def test_losses_of_embeddings(loss, case, dtype):
    a, b = (tf.cast(tf.constant(x), dtype) for x in _embeddings(case))
    _check(OF_EMBEDDINGS[loss], a, b)


@pytest.mark.parametrize("loss", ["nt_xent", "triplet"])
def test_a_huge_scale_changes_nothing(loss):
    a, b = np.random.default_rng(1).normal(size=(2, 5, DIM)).astype("f4")
    function = OF_EMBEDDINGS[loss]
    expected = function(a, b)
    for scale in (1e18, 1e30):
        huge = np.float32(scale)
        np.testing.assert_allclose(
            function(huge * a, huge * b), expected, atol=1e-5
        )


def _mixtures(case):
    """Mixtures (3, 2, samples) and estimates (3, 4, samples)."""
    rng = np.random.default_rng(2)
    samples = 1 if case == "one sample" else 57
    mixtures = rng.normal(0, 0.1, (3, 2, samples))
    estimates = rng.normal(0, 0.1, (3, 4, samples))
    if case == "silent":
        mixtures, estimates = 0 * mixtures, 0 * estimates
    elif case == "silent mixture":
        mixtures[:, 1] = 0
    elif case == "silent channel":
        estimates[:, 2] = 0
    elif case == "silent channels":
        estimates[:] = 0
    elif case == "identical channels":
        estimates[:] = estimates[:, :1]
    elif case == "identical mixtures":
        mixtures[:, 1] = mixtures[:, 0]
    elif case == "perfect":
        estimates[:, :2] = mixtures
        estimates[:, 2:] = 0
    elif case == "huge":  # Energies are squares: float32 ends at 3e38.
        mixtures, estimates = 1e16 * mixtures, 1e16 * estimates
    elif case == "tiny":
        mixtures, estimates = 1e-25 * mixtures, 1e-25 * estimates
    elif case == "tiny channels":
        estimates = 1e-25 * estimates
    return mixtures, estimates


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "case",
    [
        "one sample",
        "silent",
        "silent mixture",
        "silent channel",
        "silent channels",
        "identical channels",
        "identical mixtures",
        "perfect",
        "huge",
        "tiny",
        "tiny channels",
    ],
)
def test_losses_of_waveforms(case, dtype):
    mixtures, estimates = (
        tf.cast(tf.constant(x), dtype) for x in _mixtures(case)
    )
    exact = _check(lambda m, x: mixit_loss(m, x)[0], mixtures, estimates)
    squares = _check(
        lambda m, x: mixit_loss(m, x, search="least_squares")[0],
        mixtures,
        estimates,
    )
    assert np.all(squares - exact > -1e-4)
    snr = _check(capped_snr_loss, mixtures, estimates[:, :2])
    assert np.all(tf.reduce_mean(snr, axis=1) >= -80.001)
