"""Temporal proximity: where in the clip the two views are cut."""

from keras import ops


def crop_starts(
    uniform_a, uniform_b, num_samples, view_samples: int, max_offset: int
):
    """Starts of two views at independent random times of one clip.

    The first start is uniform over the clip, the second over the part of the
    clip at most `max_offset` from the first (Jansen et al., ICASSP 2018; an
    offset as long as the clip makes both independent, our default).

    Args:
      uniform_a: numbers in [0, 1), any shape.
      uniform_b: likewise, same shape.
      num_samples: length of the clip, int or int array of that shape.
      view_samples: length of a view; a shorter clip has start 0.
      max_offset: largest distance between the starts, samples.

    Returns:
      Two int32 arrays of that shape, in [0, max(0, num_samples - view)].
    """
    last = ops.maximum(ops.cast(num_samples, "int32") - view_samples, 0)
    start_a = _uniform_int(uniform_a, 0, last)
    start_b = _uniform_int(
        uniform_b,
        ops.maximum(start_a - max_offset, 0),
        ops.minimum(start_a + max_offset, last),
    )
    return start_a, start_b


def _uniform_int(uniform, low, high):
    """Integers in [low, high], each as likely."""
    count = ops.cast(high - low + 1, "float32")
    # float32 rounding may give count itself.
    index = ops.minimum(ops.floor(uniform * count), count - 1)
    return low + ops.cast(index, "int32")
