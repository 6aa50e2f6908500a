"""Which two signals of a clip are compared, and which processor made them.

All randomness of the augmentation front end enters as uniform numbers in
[0, 1), so each choice is a plain function of them: the same numbers give the
same views, on any backend, for one example or a batch.
"""

from keras import ops

COMPARISONS = ("mix_vs_mix", "mix_vs_chan", "chan_vs_chan")

# Index of the mixture among the signals of a clip; channel c is c + 1.
MIXTURE = 0


def choose_processor(uniform, num_processors: int):
    """The OR rule: one of the processors, each as likely (slides; uniform
    per example is our choice).

    Args:
      uniform: numbers in [0, 1), any shape.
      num_processors: how many there are.

    Returns:
      int32 indices in [0, num_processors), same shape.
    """
    return _index(uniform, num_processors)


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
    needed = {"mix_vs_mix": 0, "mix_vs_chan": 1, "chan_vs_chan": 2}
    if comparison not in needed:
        raise ValueError(
            f"comparison must be one of {', '.join(COMPARISONS)}. Received: "
            f"{comparison}"
        )
    if num_channels < needed[comparison]:
        raise ValueError(
            f"{comparison} needs {needed[comparison]} or more channels: use "
            f"separated clips. Received: num_channels={num_channels}"
        )
    mixture = ops.cast(ops.zeros_like(uniform_a), "int32")
    if comparison == "mix_vs_mix":
        return mixture, mixture
    if comparison == "mix_vs_chan":
        return mixture, 1 + _index(uniform_b, num_channels)
    first = _index(uniform_a, num_channels)
    step = 1 + _index(uniform_b, num_channels - 1)
    return 1 + first, 1 + (first + step) % num_channels


def _index(uniform, count: int):
    return ops.cast(ops.floor(uniform * count), "int32")
