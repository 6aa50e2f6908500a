"""Sound files that are damaged in every way we could think of."""

import functools
import io
from collections.abc import Callable

import numpy as np
import soundfile

RATE_HZ = 16000

FORMATS = {
    "wav16": (".wav", "WAV", "PCM_16"),
    "wav24": (".wav", "WAV", "PCM_24"),
    "float": (".wav", "WAV", "FLOAT"),
    "flac": (".flac", "FLAC", "PCM_16"),
    "ogg": (".ogg", "OGG", "VORBIS"),
    "mp3": (".mp3", "MP3", "MPEG_LAYER_III"),
}
_ABSURD = (0, 1, 3, 255, 1025, 65535, 2**31 - 1, 2**31, 2**32 - 1)
# Where a WAV header has its channels, rate, bytes a second, block size, bits
# a sample and bytes of data.
_WAV_FIELDS = ((22, 2), (24, 4), (28, 4), (32, 2), (34, 2), (40, 4))


@functools.cache
def sound(audio_format: str, number: int) -> bytes:
    """A file of noise, 0.25 to 0.5 s."""
    rng = np.random.default_rng(number)
    _, container, subtype = FORMATS[audio_format]
    audio = rng.uniform(-0.9, 0.9, rng.integers(4000, 8000))
    stream = io.BytesIO()
    soundfile.write(stream, audio, RATE_HZ, subtype, format=container)
    return stream.getvalue()


def _any_sound(rng: np.random.Generator) -> bytearray:
    audio_format = str(rng.choice([*FORMATS]))
    return bytearray(sound(audio_format, int(rng.integers(4))))


def _random_bytes(rng: np.random.Generator, data: bytearray) -> bytearray:
    return bytearray(rng.bytes(rng.integers(1, len(data))))


def _nothing(rng: np.random.Generator, data: bytearray) -> bytearray:
    return bytearray()


def _truncated(rng: np.random.Generator, data: bytearray) -> bytearray:
    return data[: rng.integers(1, len(data))]


def _truncated_header(rng: np.random.Generator, data: bytearray) -> bytearray:
    return data[: rng.integers(1, 128)]


def _headless(rng: np.random.Generator, data: bytearray) -> bytearray:
    return data[rng.integers(1, len(data)) :]


def _flip(
    rng: np.random.Generator, data: bytearray, start: int, stop: int
) -> bytearray:
    for place in rng.integers(start, stop, 2 ** rng.integers(0, 6)):
        data[place] ^= 1 << rng.integers(0, 8)
    return data


def _bits_of_header(rng: np.random.Generator, data: bytearray) -> bytearray:
    return _flip(rng, data, 0, 128)


def _bits_of_body(rng: np.random.Generator, data: bytearray) -> bytearray:
    return _flip(rng, data, 128, len(data))


def _absurd_numbers(rng: np.random.Generator, data: bytearray) -> bytearray:
    for _ in range(rng.integers(1, 4)):
        size = 2 ** rng.integers(0, 4)
        start = rng.integers(0, 128)
        _put(data, start, size, rng.choice(_ABSURD), rng.choice(["<", ">"]))
    return data


def _absurd_wav_field(rng: np.random.Generator, data: bytearray) -> bytearray:
    start, size = _WAV_FIELDS[rng.integers(len(_WAV_FIELDS))]
    _put(data, start, size, rng.choice(_ABSURD), "<")
    return data


def _put(data: bytearray, start: int, size: int, value: int, order: str):
    number = int(value) % 256 ** int(size)
    data[start : start + size] = number.to_bytes(
        int(size), "little" if order == "<" else "big"
    )


def _swapped_blocks(rng: np.random.Generator, data: bytearray) -> bytearray:
    size = int(rng.integers(1, len(data) // 4))
    first = int(rng.integers(0, len(data) - 2 * size))
    second = int(rng.integers(first + size, len(data) - size + 1))
    return (
        data[:first]
        + data[second : second + size]
        + data[first + size : second]
        + data[first : first + size]
        + data[second + size :]
    )


def _zeroed_block(rng: np.random.Generator, data: bytearray) -> bytearray:
    start = int(rng.integers(0, len(data)))
    size = int(rng.integers(1, 4096))
    data[start : start + size] = bytes(len(data[start : start + size]))
    return data


def _inserted_bytes(rng: np.random.Generator, data: bytearray) -> bytearray:
    start = int(rng.integers(0, len(data)))
    data[start:start] = rng.bytes(int(rng.integers(1, 4096)))
    return data


def _two_files(rng: np.random.Generator, data: bytearray) -> bytearray:
    return data[: rng.integers(1, len(data) + 1)] + _any_sound(rng)


def _other_format(rng: np.random.Generator, data: bytearray) -> bytearray:
    return _any_sound(rng)


DAMAGES: tuple[Callable[[np.random.Generator, bytearray], bytearray], ...] = (
    _random_bytes,
    _nothing,
    _truncated,
    _truncated_header,
    _headless,
    _bits_of_header,
    _bits_of_header,
    _bits_of_body,
    _absurd_numbers,
    _absurd_numbers,
    _absurd_wav_field,
    _swapped_blocks,
    _zeroed_block,
    _inserted_bytes,
    _two_files,
    _other_format,
)


def damaged(seed: int) -> tuple[str, bytes]:
    """File name and content of one case; the name tells what was done."""
    rng = np.random.default_rng(seed)
    audio_format = str(rng.choice([*FORMATS]))
    damage = DAMAGES[rng.integers(len(DAMAGES))]
    data = damage(rng, bytearray(sound(audio_format, int(rng.integers(4)))))
    name = f"{seed}-{audio_format}-{damage.__name__}"
    if rng.random() < 0.05:
        name += "ž" * 100  # 255 bytes is the longest that systems take.
    return name + FORMATS[audio_format][0], bytes(data)
