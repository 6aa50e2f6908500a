"""FLAC inside the graph: the only module that needs tensorflow-io."""

import tensorflow as tf

from data.user_error import UserError


def decode(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes a scalar string of mono 16-bit FLAC to (T,) int16.

    Raises:
      UserError: tensorflow-io's ops do not load with this TensorFlow.
    """
    try:
        import tensorflow_io as tfio

        decode_flac = tfio.audio.decode_flac
    except (ImportError, NotImplementedError) as error:
        raise UserError(
            "FLAC shards need tensorflow-io, whose ops do not load with "
            f"TensorFlow {tf.__version__}: install the versions of "
            "requirements.txt, or write shards with --audio_format=pcm16"
        ) from error
    return decode_flac(encoded, shape=[-1, 1], dtype=tf.int16)[:, 0]
