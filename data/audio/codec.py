"""Audio of shards decoded to float in [-1, 1), see `encoding`."""

import numpy as np
import tensorflow as tf

from data.audio.encoding import FULL_SCALE, PCM16


def has_length(
    encoded: tf.Tensor, num_samples: tf.Tensor, audio_format: str
) -> tf.Tensor:
    """Whether each of some strings holds so many samples, without decoding.

    Args:
      encoded: strings of any shape.
      num_samples: scalar int64.
      audio_format: one of `AUDIO_FORMATS`.

    Returns:
      Boolean scalar; false too where a string cannot be such audio.
    """
    if audio_format == PCM16:
        lengths = tf.cast(tf.strings.length(encoded), tf.int64)
        return tf.reduce_all(lengths == 2 * num_samples)
    from data.audio import flac_decoding

    return tf.reduce_all(flac_decoding.num_samples(encoded) == num_samples)


def decode(encoded: tf.Tensor, audio_format: str) -> tf.Tensor:
    """Decodes one scalar string to (T,) float32, in the graph."""
    return _to_float(_decode_int16(encoded, audio_format))


def decode_bytes(encoded: bytes, audio_format: str) -> np.ndarray:
    """Decodes to (T,) int16, outside of the graph.

    Raises:
      ValueError: the bytes are no such audio.
    """
    if audio_format == PCM16:
        if len(encoded) % 2:
            raise ValueError(f"{len(encoded)} bytes are no 16-bit samples")
        return np.frombuffer(encoded, "<i2")
    from data.audio import flac_decoding

    return flac_decoding.decode_bytes(encoded)


def decode_crop(
    encoded: tf.Tensor,
    start: tf.Tensor,
    num_samples: int,
    audio_format: str,
) -> tf.Tensor:
    """Decodes `num_samples` from `start` on, zeros past the end.

    From PCM only the crop is read; FLAC has to be decoded whole.

    Returns:
      (num_samples,) float32.
    """
    if audio_format == PCM16:
        length = tf.strings.length(encoded) // 2
        # `substr` refuses a start past the end.
        start = tf.minimum(tf.cast(start, tf.int32), length)
        left = length - start
        piece = tf.strings.substr(
            encoded, 2 * start, 2 * tf.minimum(left, num_samples)
        )
        samples = tf.io.decode_raw(piece, tf.int16)
    else:
        whole = _decode_int16(encoded, audio_format)
        samples = whole[start : start + num_samples]
    missing = num_samples - tf.shape(samples)[0]
    return tf.ensure_shape(
        tf.pad(_to_float(samples), [[0, missing]]), [num_samples]
    )


def _decode_int16(encoded: tf.Tensor, audio_format: str) -> tf.Tensor:
    if audio_format == PCM16:
        return tf.io.decode_raw(encoded, tf.int16)
    from data.audio import flac_decoding

    return flac_decoding.decode(encoded)


def _to_float(samples: tf.Tensor) -> tf.Tensor:
    return tf.cast(samples, tf.float32) / FULL_SCALE
