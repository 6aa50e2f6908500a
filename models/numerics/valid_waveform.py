"""Which waveforms networks can answer for."""

from keras import ops

# Full scale is 1. A million times that is no recording, and far below where
# the squares in front ends and separators leave float32.
MAX_AMPLITUDE = 1e6

# For people, after the name of one that is not valid.
WHY_NOT = (
    "has no samples, or one that is NaN, infinite or beyond "
    f"+-{MAX_AMPLITUDE:g}: make it again, with a full scale of 1"
)


def is_valid(waveform):
    """Whether all samples are finite and none is beyond `MAX_AMPLITUDE`.

    Of no samples, nothing can be told: they are not valid (our choice).

    Args:
      waveform: (..., T), any T.

    Returns:
      Booleans (...).
    """
    # Comparisons with NaN are false.
    fits = ops.all(ops.abs(waveform) <= MAX_AMPLITUDE, axis=-1)
    return ops.logical_and(fits, ops.shape(waveform)[-1] > 0)
