"""Gradients in float64 against central differences."""

import numpy as np
import pytest
import tensorflow as tf

from models.heads.pair_logits import pair_logits
from models.losses.capped_snr import capped_snr_loss
from models.losses.coincidence_loss import coincidence_loss
from models.losses.mixit import SEARCHES, mixit_loss
from models.losses.nt_xent import nt_xent
from models.losses.triplet import triplet_loss
from models.separation.mixture_consistency import KINDS, mixture_consistency

STEP = 1e-5
TOLERANCE = 1e-6
RNG = np.random.default_rng(7)
MIXTURES = RNG.normal(size=(2, 2, 5))
MIXTURE = RNG.normal(size=(2, 5))
EMBEDDINGS = RNG.normal(size=(4, 5)), RNG.normal(size=(4, 5))
WEIGHTS = RNG.random((2, 3, 1))
PAIRS = RNG.normal(size=(4, 6)), RNG.normal(size=(3, 6)), RNG.normal(size=6)

# Function of one or more arrays to an array, and the arrays.
CASES = {
    "capped_snr": (lambda x: capped_snr_loss(MIXTURES, x), [MIXTURES[::-1]]),
    "nt_xent": (lambda a, b: nt_xent(a, b, 0.3)[0], EMBEDDINGS),
    "nt_xent, global batch": (
        lambda a, b: nt_xent(a[1:3], b[1:3], 0.3, a, b, 1)[0],
        EMBEDDINGS,
    ),
    "coincidence": (
        lambda x: coincidence_loss(x)[0],
        [3 * RNG.normal(size=(4, 4))],
    ),
    "coincidence, offset": (
        lambda x: coincidence_loss(x, 2)[0],
        [RNG.normal(size=(2, 5))],
    ),
    "pair_logits": (pair_logits, PAIRS),
    "triplet": (lambda a, p: triplet_loss(a, p, 0.7)[0], EMBEDDINGS),
    "triplet, global batch": (
        lambda a, p: triplet_loss(a[1:3], p[1:3], 0.7, p, 1)[0],
        EMBEDDINGS,
    ),
    "mixture_consistency, weights": (
        lambda m, x, w: mixture_consistency(m, x, weights=w),
        (MIXTURE, RNG.normal(size=(2, 3, 5)), WEIGHTS),
    ),
}
for _search in SEARCHES:
    CASES[f"mixit, {_search}"] = (
        lambda m, x, search=_search: mixit_loss(m, x, 30.0, search)[0],
        (MIXTURES, RNG.normal(size=(2, 3, 5))),
    )
    # Next to the sources, where the soft cap acts.
    CASES[f"mixit, {_search}, at the cap"] = (
        lambda x, search=_search: mixit_loss(MIXTURES, x, 30.0, search)[0],
        [MIXTURES + 0.03 * RNG.normal(size=(2, 2, 5))],
    )
for _kind in KINDS:
    CASES[f"mixture_consistency, {_kind}"] = (
        lambda m, x, kind=_kind: mixture_consistency(m, x, kind),
        (MIXTURE, RNG.normal(size=(2, 3, 5))),
    )


@pytest.mark.parametrize("case", CASES)
def test_whole_jacobian(case):
    function, arrays = CASES[case]
    sizes = [array.size for array in arrays]

    @tf.function(jit_compile=False)
    def outputs(flat):
        parts = tf.split(flat, sizes)
        inputs = [
            tf.reshape(part, array.shape)
            for part, array in zip(parts, arrays, strict=True)
        ]
        return tf.reshape(function(*inputs), [-1])

    @tf.function(jit_compile=False)
    def jacobian(flat):
        with tf.GradientTape() as tape:
            tape.watch(flat)
            values = outputs(flat)
        return tape.jacobian(values, flat, experimental_use_pfor=False)

    flat = np.concatenate([array.ravel() for array in arrays])
    found = jacobian(tf.constant(flat)).numpy()
    assert found.dtype == np.float64
    expected = np.empty_like(found)
    for column, step in enumerate(STEP * np.eye(len(flat))):
        ahead, behind = outputs(flat + step), outputs(flat - step)
        expected[:, column] = (ahead - behind) / (2 * STEP)
    assert np.any(expected)
    error = np.linalg.norm(found - expected)
    assert error < TOLERANCE * np.linalg.norm(expected)
