"""Temporal proximity: where in the clip the two views are cut.

Both views are cut at random times of one clip, the second at most an offset
from the first (Jansen et al., ICASSP 2018). With an offset as long as the
clip, our default, the two times are independent.
"""

from keras import ops


def first_start(uniform, num_samples, view_samples: int):
    """Start of the first view, uniform over the clip.

    Args:
      uniform: numbers in [0, 1), any shape.
      num_samples: length of the clip, int or int array that broadcasts.
      view_samples: length of a view; a shorter clip has start 0.

    Returns:
      int32, same shape, in [0, max(0, num_samples - view_samples)].
    """
    return _uniform_int(uniform, 0, _last_start(num_samples, view_samples))


def second_start(
    uniform, first, num_samples, view_samples: int, max_offset: int
):
    """Start of the second view, uniform over what is near the first.

    Args:
      uniform: numbers in [0, 1), any shape.
      first: start of the first view, int32 that broadcasts.
      num_samples: length of the clip, int or int array that broadcasts.
      view_samples: length of a view; a shorter clip has start 0.
      max_offset: largest distance between the starts, samples.

    Returns:
      int32, same shape, in [0, max(0, num_samples - view_samples)].
    """
    last = _last_start(num_samples, view_samples)
    return _uniform_int(
        uniform,
        ops.maximum(first - max_offset, 0),
        ops.minimum(first + max_offset, last),
    )


def _last_start(num_samples, view_samples: int):
    return ops.maximum(ops.cast(num_samples, "int32") - view_samples, 0)


def _uniform_int(uniform, low, high):
    """Integers in [low, high], each as likely."""
    count = ops.cast(high - low + 1, "float32")
    # float32 rounding may give count itself.
    index = ops.minimum(ops.floor(uniform * count), count - 1)
    return low + ops.cast(index, "int32")
