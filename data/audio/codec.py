"""Audio of shards decoded to float in [-1, 1), see `encoding`.

FLAC is decoded by libsndfile, inside the graph too. Not by tensorflow-io, whose
decoder takes five times as long, and which bytes that are not quite FLAC can
keep busy for ever (3 of 400 damaged files did).
"""

import io

import numpy as np
import soundfile
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
    # The first block of FLAC tells, from byte 18 on and in 64 bits: sample rate
    # (20), channels - 1 (3), bits - 1 (5), samples (36).
    head = tf.io.decode_raw(encoded, tf.uint8, fixed_length=26)
    head = tf.cast(head, tf.int64)  # (..., 26)
    kind = head[..., 20] % 16 * 16 + head[..., 21] // 16
    is_flac = tf.reduce_all(head[..., :4] == tuple(b"fLaC"), -1)
    is_mono_16_bits = kind == 15
    digits = head[..., 21:] * [1 << shift for shift in (32, 24, 16, 8, 0)]
    has_samples = tf.reduce_sum(digits, -1) % (1 << 36) == num_samples
    return tf.reduce_all(is_flac & is_mono_16_bits & has_samples)


def decode(encoded: tf.Tensor, audio_format: str) -> tf.Tensor:
    """Decodes one scalar string to (T,) float32, in the graph.

    Raises:
      OpError: when run, of bytes that are no such audio.
    """
    samples = _decode_int16(encoded, audio_format)
    return tf.cast(samples, tf.float32) / FULL_SCALE


def decode_bytes(encoded: bytes, audio_format: str) -> np.ndarray:
    """Decodes to (T,) int16, outside of the graph.

    Raises:
      ValueError: the bytes are no such audio.
    """
    if audio_format == PCM16:
        if len(encoded) % 2:
            raise ValueError(f"{len(encoded)} bytes are no 16-bit samples")
        return np.frombuffer(encoded, "<i2")
    try:
        with soundfile.SoundFile(io.BytesIO(encoded)) as file:
            samples = file.read(dtype="int16", always_2d=True)
            frames, subtype = file.frames, file.subtype
    except (soundfile.SoundFileError, MemoryError) as error:
        raise ValueError(f"no FLAC ({error})") from error
    if samples.shape != (frames, 1) or subtype != "PCM_16":
        raise ValueError(f"no mono 16-bit FLAC of {frames} samples")
    return samples[:, 0]


def decode_crop(
    encoded: tf.Tensor, start: tf.Tensor, num_samples: int, audio_format: str
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
    padded = tf.pad(samples, [[0, num_samples - tf.shape(samples)[0]]])
    padded = tf.ensure_shape(padded, [num_samples])
    return tf.cast(padded, tf.float32) / FULL_SCALE


def _decode_int16(encoded: tf.Tensor, audio_format: str) -> tf.Tensor:
    if audio_format == PCM16:
        return tf.io.decode_raw(encoded, tf.int16)

    def decode_array(encoded):
        # Bytes in a graph, an array of one object outside.
        return decode_bytes(np.asarray(encoded, object).item(), audio_format)

    # Without a state, so that it may run in parallel.
    samples = tf.numpy_function(
        decode_array, [encoded], tf.int16, stateful=False
    )
    return tf.ensure_shape(samples, [None])
