"""A sound with its picture in TensorBoard's default writer."""

import numpy as np
import tensorflow as tf


def is_due(step: int, every: int) -> bool:
    """Whether something is to be shown at a step, and can be; 0: never."""
    due = bool(every) and step % every == 0
    return due and bool(tf.summary.should_record_summaries())


def show(
    tag: str, image: np.ndarray, sound: np.ndarray, rate_hz: int, step: int
) -> None:
    """Writes both; a tag has one kind of data, so that of the sound is another.

    Args:
      tag: of the image; that of the sound ends in "_sound".
      image: (height, width, 3) uint8.
      sound: (T,) in [-1, 1].
    """
    tf.summary.image(tag, image[None], step)
    tf.summary.audio(f"{tag}_sound", sound[None, :, None], rate_hz, step)
