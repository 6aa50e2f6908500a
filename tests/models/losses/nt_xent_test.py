import numpy as np
import pytest
import tensorflow as tf

from models.losses.nt_xent import nt_xent
from tests.golden.loading import load

GOLDEN = load("nt_xent")
CASES = sorted(key[5:] for key in GOLDEN if key.startswith("loss_"))


def _views(seed=1, n=5, dim=7):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(2, n, dim)).astype("float32")


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradient_are_those_of_the_reference(case):
    size, dim, temperature = case.split("_")
    hidden = tf.Variable(GOLDEN[f"hidden_{size}_{dim}"])
    with tf.GradientTape() as tape:
        z_a, z_b = tf.split(hidden, 2)
        losses, _ = nt_xent(z_a, z_b, float(temperature[1:]))
        loss = tf.reduce_mean(losses)
    # The reference sums over both views: twice the mean over 2N anchors.
    assert float(loss) == pytest.approx(GOLDEN[f"loss_{case}"] / 2, abs=1e-5)
    expected = GOLDEN[f"grad_{case}"] / 2
    error = np.linalg.norm(tape.gradient(loss, hidden) - expected)
    assert error < 2e-5 * np.linalg.norm(expected)


def test_equals_a_double_loop():
    z_a, z_b = _views()
    rows = np.concatenate([z_a, z_b]).astype("float64")
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    terms = []
    for i in range(10):
        others = [rows[i] @ rows[k] / 0.3 for k in range(10) if k != i]
        positive = rows[i] @ rows[(i + 5) % 10] / 0.3
        terms.append(np.log(np.sum(np.exp(others))) - positive)
    losses, _ = nt_xent(z_a, z_b, 0.3)
    expected = (np.array(terms[:5]) + terms[5:]) / 2
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_split_over_replicas_equals_whole():
    z_a, z_b = _views(n=6)
    whole, right = nt_xent(z_a, z_b, 0.2)
    parts = [
        nt_xent(z_a[k : k + 2], z_b[k : k + 2], 0.2, z_a, z_b, offset=k)
        for k in (0, 2, 4)
    ]
    for place, expected in ((0, whole), (1, right)):
        joined = np.concatenate([np.asarray(p[place]) for p in parts])
        np.testing.assert_allclose(joined, expected, rtol=1e-6)


def test_scale_of_the_rows_does_not_matter():
    z_a, z_b = _views()
    scaled, _ = nt_xent(1000 * z_a, 0.001 * z_b, 0.1)
    np.testing.assert_allclose(scaled, nt_xent(z_a, z_b, 0.1)[0], rtol=1e-4)


def test_identical_rows_cost_the_logarithm_of_the_candidates():
    same = np.ones((8, 3), "float32")
    losses, _ = nt_xent(same, same, 0.1)
    np.testing.assert_allclose(losses, np.log(15), rtol=1e-5)


def test_accuracy_by_hand():
    z_a = np.array([[1, 0], [0, 1]], "float32")
    # The second pair's views are opposite: both its anchors are wrong.
    z_b = np.array([[1, 0], [0, -1]], "float32")
    np.testing.assert_array_equal(nt_xent(z_a, z_b, 0.1)[1], [1, 0])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("case", ["zero", "identical", "opposite"])
def test_extreme_rows_have_finite_loss_and_gradient(dtype, case):
    z_a = {"zero": tf.zeros([2, 4]), "identical": tf.ones([2, 4])}.get(
        case, tf.constant(_views(n=2, dim=4)[0])
    )
    z_b = -z_a if case == "opposite" else z_a
    z_a, z_b = tf.cast(z_a, dtype), tf.cast(z_b, dtype)
    with tf.GradientTape() as tape:
        tape.watch([z_a, z_b])
        losses, _ = nt_xent(z_a, z_b, 0.05)
    assert losses.dtype == tf.float32
    assert np.isfinite(losses).all()
    for gradient in tape.gradient(losses, [z_a, z_b]):
        assert np.isfinite(tf.cast(gradient, tf.float32)).all()
