import numpy as np
import pytest

from models.metrics.alignment_uniformity import alignment, uniformity


def test_by_hand():
    # At a right angle, opposite, the same direction; norms do not matter.
    z_a = np.array([[2.0, 0.0], [0.0, 1.0], [-3.0, 0.0]], "f4")
    z_b = np.array([[0.0, 5.0], [0.0, -1.0], [-1.0, 0.0]], "f4")
    np.testing.assert_allclose(alignment(z_a, z_b), [2, 4, 0], atol=1e-6)
    # Squared distances of the three pairs of z_a: 2, 4, 2.
    expected = np.log((np.exp(-4) + np.exp(-8) + np.exp(-4)) / 3)
    assert float(uniformity(z_a)) == pytest.approx(expected, abs=1e-6)
