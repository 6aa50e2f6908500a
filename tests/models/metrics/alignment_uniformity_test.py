import numpy as np
import pytest

from models.metrics.alignment_uniformity import alignment, uniformity


def test_figures_are_those_of_the_published_definition():
    z_a, z_b = np.random.default_rng(0).normal(size=(2, 13, 5)).astype("f4")
    x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (z_a, z_b))
    np.testing.assert_allclose(
        alignment(z_a, z_b), np.sum((x - y) ** 2, axis=1), 1e-5
    )
    i, j = np.triu_indices(13, 1)
    distances = np.sum((x[i] - x[j]) ** 2, axis=1)
    np.testing.assert_allclose(
        uniformity(z_a), np.log(np.mean(np.exp(-2 * distances))), 1e-5
    )


def test_by_hand():
    # At a right angle, opposite, the same direction; norms do not matter.
    z_a = np.array([[2.0, 0.0], [0.0, 1.0], [-3.0, 0.0]], "f4")
    z_b = np.array([[0.0, 5.0], [0.0, -1.0], [-1.0, 0.0]], "f4")
    np.testing.assert_allclose(alignment(z_a, z_b), [2, 4, 0], atol=1e-6)
    # Squared distances of the three pairs of z_a: 2, 4, 2.
    expected = np.log((np.exp(-4) + np.exp(-8) + np.exp(-4)) / 3)
    assert float(uniformity(z_a)) == pytest.approx(expected, abs=1e-6)
