import numpy as np
import pytest
import tensorflow as tf

from models.losses.capped_snr import capped_snr_loss
from models.losses.coincidence_loss import coincidence_loss
from models.losses.mixit import mixit_loss
from models.losses.nt_xent import nt_xent
from models.losses.triplet import triplet_loss
from models.numerics.precision import loss_dtype
from models.numerics.unit_norm import unit_norm

LOSSES = {
    "nt_xent": lambda a, b: nt_xent(a, b, 0.2),
    "coincidence": lambda a, b: coincidence_loss(a @ tf.transpose(b)),
    "triplet": lambda a, b: triplet_loss(a, b, 0.1),
    "mixit": lambda a, b: mixit_loss(a[None, :2], b[None]),
    "mixit_least_squares": lambda a, b: mixit_loss(
        a[None, :2], b[None], search="least_squares"
    ),
    "capped_snr": lambda a, b: (capped_snr_loss(a, b),),
    "unit_norm": lambda a, b: (unit_norm(a),),
}


def test_double_precision_is_kept_and_nothing_is_below_single():
    half, single, double = (np.ones(1, f"f{n}") for n in (2, 4, 8))
    assert loss_dtype(half, None) == "float32"
    assert loss_dtype(single, half) == "float32"
    assert loss_dtype(half, double, single) == "float64"
    assert loss_dtype(tf.constant(1, tf.bfloat16)) == "float32"


@pytest.mark.parametrize("name", LOSSES)
def test_losses_have_that_precision_and_agree(name):
    rng = np.random.default_rng(1)
    # Of few bits, so that every precision holds them.
    a, b = (tf.constant(rng.integers(-8, 9, (3, 7)) / 8) for _ in range(2))
    expected = LOSSES[name](a, b)
    for dtype in ("bfloat16", "float16", "float32"):
        results = LOSSES[name](tf.cast(a, dtype), tf.cast(b, dtype))
        for result, double in zip(results, expected, strict=True):
            assert result.dtype == "float32" and double.dtype == "float64"
            if name != "coincidence" or dtype == "float32":
                # Its logits, a product of halves, are rounded beforehand.
                np.testing.assert_allclose(result, double, rtol=1e-5)
