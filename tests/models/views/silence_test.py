import numpy as np

from models.views.silence import first_audible, replace_silent

LEVEL = 10 ** (-60 / 20)


def test_only_silent_views_are_replaced():
    mixture = np.full((3, 10), 0.5, "float32")
    view = np.array([[0.0], [0.9 * LEVEL], [1.1 * LEVEL]], "float32")
    view = np.repeat(view, 10, axis=1)
    out = np.asarray(replace_silent(view, mixture, -60))
    np.testing.assert_array_equal(out[:2], mixture[:2])
    np.testing.assert_array_equal(out[2], view[2])


def test_first_audible_crop_is_taken():
    levels = np.array(
        [[0, 0, 2, 3], [2, 0, 0, 2], [0, 0, 0, 0.9], [0, 0, 0, 1.1]]
    )
    crops = np.repeat(levels[..., None] * LEVEL, 7, axis=-1).astype("float32")
    np.testing.assert_array_equal(first_audible(crops, -60), [2, 0, 0, 3])
