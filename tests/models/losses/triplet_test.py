import numpy as np
import pytest
import tensorflow as tf

from models.losses.triplet import triplet_loss


def _at(*degrees):
    angle = np.deg2rad(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _square(degrees):
    """Squared distance of two points of the unit circle."""
    return 2 - 2 * np.cos(np.deg2rad(degrees))


POSITIVES = (60, 30, 90, 120)


@pytest.mark.parametrize("margin", [0.1, 1.5])
def test_by_hand(margin):
    # Norms do not matter.
    anchors = 3 * _at(0, 200, 88, 119)
    positives = 7 * _at(*POSITIVES)
    losses, active = triplet_loss(anchors, positives, margin)
    expected = [
        # 60 from its own; 30 is closer, 120 farther than 90.
        _square(60) - _square(90) + margin,
        # None is farther: the farthest of 140, 110 and 80.
        _square(170) - _square(140) + margin,
        # 2 from its own; of 28, 58 and 32 the closest.
        _square(2) - _square(28) + margin,
        # 1 from its own; of 59, 89 and 29.
        _square(1) - _square(29) + margin,
    ]
    np.testing.assert_allclose(losses, np.maximum(expected, 0), atol=1e-12)
    np.testing.assert_array_equal(active, np.array(expected) > 0)


def test_gradient_reaches_the_three_of_an_active_triplet_only():
    anchors = tf.constant(_at(0, 200, 88, 119))
    positives = tf.constant(_at(*POSITIVES))
    with tf.GradientTape() as tape:
        tape.watch([anchors, positives])
        first = triplet_loss(anchors, positives, 1.5)[0][0]
    of_anchors, of_positives = tape.gradient(first, [anchors, positives])
    moved = [np.any(g, axis=1).tolist() for g in (of_anchors, of_positives)]
    # The negative at 90 degrees is row 2.
    assert moved == [[True, False, False, False], [True, False, True, False]]
