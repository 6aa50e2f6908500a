"""The bytes of WAV files to waveforms, in the graph."""

from collections.abc import Callable

import tensorflow as tf

from evaluate.serving.resampling import Resampler, rates_to

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
# Format and bits of a sample, for each of `_decoders`.
_KINDS = [
    *((_PCM, bits) for bits in (8, 16, 24, 32)),
    (_FLOAT, 32),
    (_FLOAT, 64),
]


def waveforms(
    audio_bytes: tf.Tensor, sample_rate_hz: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes WAV files: mono, at one rate, as `data.audio` reads them.

    PCM of 8, 16, 24 or 32 bits and floats, of any number of channels, which
    are averaged, at one of the rates of `rates_to`. Floats have a full scale
    of 1.

    Args:
      audio_bytes: (B,) strings, a file each.
      sample_rate_hz: of the result.

    Returns:
      Waveforms (B, T) float32, zeros past the end of each, and the length of
      each (B,) int32.

    Raises:
      InvalidArgumentError: when run, where one is no such file; says which,
        and why.
    """
    resamplers = {
        rate_hz: Resampler(rate_hz, sample_rate_hz)
        for rate_hz in rates_to(sample_rate_hz)
    }

    def one(arguments):
        number, file = arguments
        return _waveform(file, number, resamplers)

    numbers = tf.range(tf.shape(audio_bytes)[0])
    ragged = tf.map_fn(
        one,
        (numbers, audio_bytes),
        fn_output_signature=tf.RaggedTensorSpec([None], tf.float32, 0),
        parallel_iterations=2,
    )
    return ragged.to_tensor(), tf.cast(ragged.row_lengths(), tf.int32)


def _waveform(
    file: tf.Tensor, number: tf.Tensor, resamplers: dict[int, Resampler]
) -> tf.Tensor:
    layout, data = _chunks(file, number)
    kind, channels, rate_hz, block, bits = (
        _number(tf.ensure_shape(layout[at : at + size], [size]))
        for at, size in ((0, 2), (2, 2), (4, 4), (12, 2), (14, 2))
    )
    kind = tf.where(
        kind == _EXTENSIBLE, _number(tf.ensure_shape(layout[24:26], [2])), kind
    )
    is_kind = [(kind == of) & (bits == size) for of, size in _KINDS]
    is_rate = [rate_hz == rate for rate in resamplers]
    is_whole = (channels >= 1) & (8 * block == channels * bits)
    rates = ", ".join(map(str, resamplers))
    checks = [
        _check(
            tf.reduce_any(is_kind) & is_whole,
            number,
            "is not of PCM of 8, 16, 24 or 32 bits or floats: write it anew",
        ),
        _check(
            tf.reduce_any(is_rate),
            number,
            f"is at none of the rates {rates} Hz: resample it",
        ),
    ]
    with tf.control_dependencies(checks):
        frames = tf.strings.length(data) // tf.maximum(block, 1)
    whole = tf.strings.substr(data, 0, frames * block)
    samples = tf.switch_case(
        tf.argmax(is_kind, output_type=tf.int32),
        [lambda decode=decode: decode(whole) for decode in _decoders()],
    )
    by_channel = tf.reshape(samples, [-1, tf.maximum(channels, 1)])
    mono = tf.reduce_mean(by_channel, axis=1)
    return tf.switch_case(
        tf.argmax(is_rate, output_type=tf.int32),
        [lambda to=to: to(mono) for to in resamplers.values()],
    )


def _chunks(file: tf.Tensor, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The layout (n,) int32 of the chunk "fmt ", and what "data" holds."""
    length = tf.strings.length(file)
    # So that heads can be read where a file ends early.
    padded = tf.strings.join([file, b"\0" * 48])

    def name_at(at):
        return tf.strings.substr(padded, at, 4)

    def size_at(at):
        """No more than there is: it can be unset, or damaged."""
        size = _number(tf.ensure_shape(_bytes(name_at(at)), [4]))
        left = length - at - 4
        return tf.where((size < 0) | (size > left), left, size)

    def next_chunk(at, layout, data):
        layout = tf.where(name_at(at) == b"fmt ", at + 8, layout)
        data = tf.where(name_at(at) == b"data", at + 8, data)
        size = size_at(at + 4)
        return at + 8 + size + size % 2, layout, data

    is_wav = (name_at(0) == b"RIFF") & (name_at(8) == b"WAVE")
    _, layout, data = tf.while_loop(
        lambda at, _, data: is_wav & (data < 0) & (at + 8 <= length),
        next_chunk,
        (12, -1, -1),
    )
    has_both = (layout >= 0) & (data >= 0)
    checks = [
        _check(is_wav, number, "is no WAV: convert it"),
        _check(has_both, number, "is a WAV without sound: write it anew"),
    ]
    with tf.control_dependencies(checks):
        # Of nothing, where a check fails.
        layout, data = tf.maximum(layout, 0), tf.maximum(data, 4)
    return (
        _bytes(tf.strings.substr(padded, layout, 26)),
        tf.strings.substr(padded, data, tf.maximum(size_at(data - 4), 0)),
    )


def _decoders() -> list[Callable[[tf.Tensor], tf.Tensor]]:
    """Bytes to (n,) float32 of full scale 1, in the order of `_KINDS`."""

    def of(dtype, full_scale):
        return lambda data: (
            tf.cast(tf.io.decode_raw(data, dtype), tf.float32) / full_scale
        )

    def of_24_bits(data):
        parts = tf.reshape(_bytes(data), [-1, 3]) * [1 << 8, 1 << 16, 1 << 24]
        return tf.cast(tf.reduce_sum(parts, axis=1), tf.float32) / 2.0**31

    return [
        lambda data: of(tf.uint8, 2.0**7)(data) - 1.0,
        of(tf.int16, 2.0**15),
        of_24_bits,
        of(tf.int32, 2.0**31),
        of(tf.float32, 1.0),
        of(tf.float64, 1.0),
    ]


def _bytes(string: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(string, tf.uint8), tf.int32)


def _number(parts: tf.Tensor) -> tf.Tensor:
    """Of 2 or 4 bytes, little-endian; negative from 2^31 on."""
    return tf.reduce_sum(
        parts * [1, 1 << 8, 1 << 16, 1 << 24][: parts.shape[0]]
    )


def _check(
    condition: tf.Tensor, number: tf.Tensor, message: str
) -> tf.Operation:
    return tf.debugging.Assert(
        condition, [f"audio_bytes: a file {message}; which one:", number]
    )
