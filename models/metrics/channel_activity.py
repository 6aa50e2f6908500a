"""Which channels of a separated mixture are in use."""

from keras import ops

# Our choice: a channel this far below its mixture is hardly heard beside it.
_ACTIVE_DB = -40.0


def active_channels(channels, mixture):
    """1 where a channel's energy is above -40 dB relative to the mixture's.

    Args:
      channels: (..., M, samples).
      mixture: (..., samples).

    Returns:
      (..., M) of zeros and ones; zeros for a silent mixture.
    """
    channels, mixture = (ops.cast(x, "float32") for x in (channels, mixture))
    energy = ops.sum(ops.square(channels), axis=-1)
    of_mixture = ops.sum(ops.square(mixture), axis=-1, keepdims=True)
    active = energy > 10 ** (_ACTIVE_DB / 10) * of_mixture
    # Whatever a network adds to silence separates nothing.
    return ops.cast(active & (of_mixture > 0), "float32")
