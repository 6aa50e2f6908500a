"""What is done about a view that holds no sound."""

from keras import ops


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
