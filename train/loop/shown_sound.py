"""A sound with its picture in TensorBoard's default writer."""

import numpy as np
import tensorflow as tf


def is_due(step: int, every: int) -> bool:
    """Whether something is to be shown at a step, and can be.

    Args:
      step: of the training.
      every: steps between; 0: never.
    """
    if not every or step % every:
        return False
    return bool(tf.summary.should_record_summaries())


def show(
    tag: str, image: np.ndarray, sound: np.ndarray, rate_hz: int, step: int
) -> None:
    """Writes both.

    Args:
      tag: of the image; that of the sound ends in "_sound", since a tag has
        one kind of data.
      image: (height, width, 3) uint8.
      sound: (T,) in [-1, 1].
      rate_hz: of the sound.
      step: of the training.
    """
    tf.summary.image(tag, image[None], step)
    tf.summary.audio(f"{tag}_sound", sound[None, :, None], rate_hz, step)
