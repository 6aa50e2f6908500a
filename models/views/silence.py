"""What is done about silence, in the clip and in a separated channel.

Views without sound would be the same for all clips, and so false matches of
each with the others. A view is therefore cut where the clip sounds, if one
of a few random times is such, and a channel that is silent there gives way
to the mixture. Both are our choice.
"""

from keras import ops


def first_audible(crops, silence_db: float):
    """Index of the first crop that is not silent; 0 if all are.

    Args:
      crops: (..., tries, T) waveforms.
      silence_db: RMS level below which a crop is silent, dB re full scale.

    Returns:
      (...,) int32.
    """
    audible = ops.cast(~_is_silent(crops, silence_db), "int32")
    return ops.cast(ops.argmax(audible[..., 0], axis=-1), "int32")


def replace_silent(view, mixture, silence_db: float):
    """The mixture at the same place, where a view is silent.

    Args:
      view: (..., T) waveform.
      mixture: (..., T) the mixture cut at the same time.
      silence_db: RMS level below which a view is silent, dB re full scale.

    Returns:
      (..., T).
    """
    return ops.where(_is_silent(view, silence_db), mixture, view)


def _is_silent(waveform, silence_db: float):
    power = ops.mean(waveform * waveform, axis=-1, keepdims=True)
    return power < 10 ** (silence_db / 10)
