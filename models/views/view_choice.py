"""Which two views of a clip are compared: signals, processor and times.

All randomness of the augmentation front end enters as uniform numbers in
[0, 1), so each choice is a plain function of them: the same numbers give the
same views, on any backend, for one example or a batch.
"""

from keras import ops

# Channels that a comparison needs.
_CHANNELS = {"mix_vs_mix": 0, "mix_vs_chan": 1, "chan_vs_chan": 2}
COMPARISONS = tuple(_CHANNELS)

# Index of the mixture among the signals of a clip; channel c is c + 1.
MIXTURE = 0


def choose(uniform, count):
    """One of so many, each as likely; of processors, the OR rule (slides).

    Uniform per example is our choice. The largest float32 below 1 times a
    count rounds to less than the count.

    Args:
      uniform: numbers in [0, 1), any shape.
      count: an int, or ints of that shape.

    Returns:
      int32 indices in [0, count), same shape.
    """
    return ops.cast(ops.floor(uniform * ops.cast(count, "float32")), "int32")


def choose_signals(uniform_a, uniform_b, comparison: str, num_channels: int):
    """The signal of each view: the mixture, or one channel drawn at random.

    Args:
      uniform_a: numbers in [0, 1), any shape.
      uniform_b: likewise, same shape.
      comparison: one of `COMPARISONS`. `mix_vs_chan` has the mixture first;
        `chan_vs_chan` takes two different channels (our choice).
      num_channels: M.

    Returns:
      Two int32 arrays of that shape: 0 the mixture, c + 1 channel c.

    Raises:
      ValueError: the comparison is unknown, or needs more channels.
    """
    if comparison not in COMPARISONS:
        raise ValueError(
            f"comparison must be one of {', '.join(COMPARISONS)}. Received: "
            f"{comparison}"
        )
    if num_channels < _CHANNELS[comparison]:
        raise ValueError(
            f"{comparison} needs {_CHANNELS[comparison]} or more channels: use "
            f"separated clips. Received: num_channels={num_channels}"
        )
    mixture = ops.cast(ops.zeros_like(uniform_a), "int32")
    if comparison == "mix_vs_mix":
        return mixture, mixture
    if comparison == "mix_vs_chan":
        return mixture, 1 + choose(uniform_b, num_channels)
    first = choose(uniform_a, num_channels)
    step = 1 + choose(uniform_b, num_channels - 1)
    return 1 + first, 1 + (first + step) % num_channels


def crop_starts(
    uniform_a, uniform_b, num_samples, view_samples: int, max_offset: int
):
    """Temporal proximity: where in a clip its two views are cut.

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
    start_a = choose(uniform_a, last + 1)
    low = ops.maximum(start_a - max_offset, 0)
    high = ops.minimum(start_a + max_offset, last)
    return start_a, low + choose(uniform_b, high - low + 1)


def replace_silent(view, mixture, silence_db: float):
    """The mixture at the same place, where a view is silent.

    Separation may leave a channel empty; an empty view would be the same for
    all clips, and so a false match of each with the others (our choice).

    Args:
      view: (..., T) waveform.
      mixture: (..., T) the mixture cut at the same time.
      silence_db: RMS level below which a view is silent, dB re full scale.

    Returns:
      (..., T).
    """
    power = ops.mean(view * view, axis=-1, keepdims=True)
    return ops.where(power < 10 ** (silence_db / 10), mixture, view)
