"""What a run has written for TensorBoard."""

import pathlib
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf


def read_events(folder: pathlib.Path) -> dict[tuple[str, int], np.ndarray]:
    """Value of each tag and step, as written last; scalars have shape ().

    Of images it is (width, height as text, then PNGs), of audio (WAV, text)
    pairs.
    """
    found = {}
    for file in sorted(folder.iterdir()):
        for record in tf.data.TFRecordDataset(str(file)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                found[value.tag, event.step] = tf.make_ndarray(value.tensor)
    return found


def events_of(
    folder: pathlib.Path,
    at_step: Callable[[int], None],
    steps: Iterable[int],
) -> dict[tuple[str, int], np.ndarray]:
    """What a function writes that is called with each step."""
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        for step in steps:
            at_step(step)
    writer.close()
    return read_events(folder)


def read_image(value: np.ndarray) -> np.ndarray:
    """The first image of an event: (height, width, 3) uint8."""
    return tf.image.decode_png(value[2]).numpy()


def read_sound(value: np.ndarray) -> tuple[np.ndarray, int]:
    """The first sound of an event, (T,) float32, and its rate in hertz."""
    audio, rate_hz = tf.audio.decode_wav(value[0, 0])
    return audio.numpy()[:, 0], int(rate_hz)
