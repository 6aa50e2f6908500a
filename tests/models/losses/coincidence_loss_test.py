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


def test_split_over_replicas_equals_whole():
    logits = np.random.default_rng(1).normal(size=(6, 6)).astype("f4")
    whole = coincidence_loss(logits)
    graph = tf.function(
        coincidence_loss,
        input_signature=[
            tf.TensorSpec([None, None]),
            tf.TensorSpec([], tf.int32),
        ],
    )
    parts = [graph(logits[k : k + 2], k) for k in (0, 2, 4)]
    for place, expected in enumerate(whole):
        joined = np.concatenate([part[place] for part in parts])
        np.testing.assert_allclose(joined, expected, rtol=1e-6)
