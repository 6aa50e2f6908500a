import numpy as np
import tensorflow as tf

from models.losses.coincidence_loss import coincidence_loss


def test_by_hand():
    logits = np.array([[2.0, -1.0, 0.5], [0.0, 1.0, -3.0]], "float32")

    def cost(x):
        return np.log1p(np.exp(x))

    # Local rows are clips 1 and 2 of three: their pairs are columns 1, 2.
    expected = [
        cost(1.0) + (cost(2.0) + cost(0.5)) / 2,
        cost(3.0) + (cost(0.0) + cost(1.0)) / 2,
    ]
    losses, correct = coincidence_loss(logits, offset=1)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    # A logit of 0 counts as "does not coincide".
    np.testing.assert_allclose(correct, [0, (0 + 0.5) / 2])


def test_large_logits_stay_finite_with_their_gradient():
    logits = tf.constant([[-500.0, 500.0], [90.0, 500.0]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        losses, _ = coincidence_loss(logits)
    np.testing.assert_allclose(losses, [1000, 90], rtol=1e-6)
    assert np.isfinite(tape.gradient(losses, logits)).all()
