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
DTYPES = ("float32", pytest.param("bfloat16", marks=pytest.mark.long))


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
FIRST = np.eye(5)[0][:, None]
EMBEDDINGS = {
    "two": lambda a, b: (a[:2], b[:2]),
    "zero": lambda a, b: (0 * a, 0 * b),
    "one zero": lambda a, b: (a * (1 - FIRST), b),
    "identical views": lambda a, b: (a, a),
    "opposite views": lambda a, b: (a, -a),
    "identical clips": lambda a, b: (0 * a + a[0], 0 * b + a[0]),
    "huge": lambda a, b: (1e18 * a, 1e18 * b),
    "tiny": lambda a, b: (1e-30 * a, 1e-30 * b),
    "huge and tiny": lambda a, b: (1e18 * a, 1e-18 * b),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", EMBEDDINGS)
@pytest.mark.parametrize("loss", OF_EMBEDDINGS)
def test_losses_of_embeddings(loss, case, dtype):
    views = np.random.default_rng(1).normal(size=(2, 5, DIM))
    a, b = (tf.cast(tf.constant(x), dtype) for x in EMBEDDINGS[case](*views))
    _check(OF_EMBEDDINGS[loss], a, b)


SECOND = np.float64([[0], [1]])
# Of mixtures (3, 2, samples) and estimates (3, 4, samples).
WAVEFORMS = {
    "one sample": lambda m, x: (m[..., :1], x[..., :1]),
    "silent": lambda m, x: (0 * m, 0 * x),
    "silent mixture": lambda m, x: (m * SECOND, x),
    "silent channel": lambda m, x: (m, x * (np.arange(4) != 2)[:, None]),
    "silent channels": lambda m, x: (m, 0 * x),
    "identical channels": lambda m, x: (m, 0 * x + x[:, :1]),
    "identical mixtures": lambda m, x: (0 * m + m[:, :1], x),
    "perfect": lambda m, x: (m, np.concatenate([m, 0 * m], axis=1)),
    # Energies are squares: float32 ends at 3e38.
    "huge": lambda m, x: (1e16 * m, 1e16 * x),
    "tiny": lambda m, x: (1e-25 * m, 1e-25 * x),
    "tiny channels": lambda m, x: (m, 1e-25 * x),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", WAVEFORMS)
def test_losses_of_waveforms(case, dtype):
    rng = np.random.default_rng(2)
    signals = WAVEFORMS[case](*(rng.normal(0, 0.1, (3, n, 57)) for n in (2, 4)))
    mixtures, estimates = (tf.cast(tf.constant(x), dtype) for x in signals)
    exact = _check(lambda m, x: mixit_loss(m, x)[0], mixtures, estimates)
    squares = _check(
        lambda m, x: mixit_loss(m, x, search="least_squares")[0],
        mixtures,
        estimates,
    )
    assert np.all(squares - exact > -1e-4)
    snr = _check(capped_snr_loss, mixtures, estimates[:, :2])
    assert np.all(tf.reduce_mean(snr, axis=1) >= -80.001)
