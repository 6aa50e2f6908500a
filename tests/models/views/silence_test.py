import numpy as np

from models.views.silence import replace_silent


def test_only_silent_views_are_replaced():
    mixture = np.full((3, 10), 0.5, "float32")
    level = 10 ** (-60 / 20)
    view = np.array([[0.0], [0.9 * level], [1.1 * level]], "float32")
    view = np.repeat(view, 10, axis=1)
    out = np.asarray(replace_silent(view, mixture, -60))
    np.testing.assert_array_equal(out[:2], mixture[:2])
    np.testing.assert_array_equal(out[2], view[2])
