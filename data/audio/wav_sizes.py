"""How much sound a WAV has: its header may not know, or wrap at 4 GB."""

import contextlib
import dataclasses
import io
import os
from collections.abc import Iterator
from typing import BinaryIO

import soundfile

_MARKS = (b"RIFF", b"RIFX", b"RF64", b"BW64")
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_SUBTYPES = {
    (_PCM, 8): "PCM_U8",
    (_PCM, 16): "PCM_16",
    (_PCM, 24): "PCM_24",
    (_PCM, 32): "PCM_32",
    (_FLOAT, 32): "FLOAT",
    (_FLOAT, 64): "DOUBLE",
}
# What writers put who cannot come back to write the size, less their headers.
_UNSET = (1 << 31, (1 << 32) - 1, (1 << 64) - 1)
_UNSET_BELOW = 1 << 16
# What others append without a chunk of its own.
_TAGS = (b"ID3", b"TAG", b"APE")


@dataclasses.dataclass(frozen=True)
class WavSizes:
    """Bytes of sound of a WAV.

    Attributes:
      said: by its header.
      there: from where the sound starts to the end of the file.
      are_wrong: whether the header's is unset or too small, so that the
        length of the file tells.
      start: where the sound starts.
      layout: what libsndfile reads it by; empty where it is compressed.
    """

    said: int
    there: int
    are_wrong: bool
    start: int
    layout: dict

    @contextlib.contextmanager
    def opened(self, path: str | os.PathLike) -> Iterator[soundfile.SoundFile]:
        """The sound to the end of the file, whatever the header says."""
        with (
            _From(path, self.start) as raw,
            soundfile.SoundFile(raw, format="RAW", **self.layout) as file,
        ):
            yield file


class _From(io.FileIO):
    """A file from some byte on."""

    def __init__(self, path: str | os.PathLike, start: int):
        super().__init__(path)
        self._start = start
        self.seek(0)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_SET:
            offset += self._start
        return super().seek(offset, whence) - self._start

    def tell(self) -> int:
        return super().tell() - self._start


def read(path: str | os.PathLike) -> WavSizes | None:
    """The sizes of a file; None: it is no WAV, or has no chunk of sound."""
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(0)
        head = file.read(12)
        if head[:4] not in _MARKS or head[8:] != b"WAVE":
            return None
        order = "big" if head[:4] == b"RIFX" else "little"
        long_size, layout = None, {}
        while len(chunk := file.read(8)) == 8:
            start = file.tell()
            size = int.from_bytes(chunk[4:], order)
            if chunk[:4] == b"data":
                if long_size is not None and size == (1 << 32) - 1:
                    size = long_size
                are_wrong = _are_wrong(file, start, size, end, order)
                return WavSizes(size, end - start, are_wrong, start, layout)
            if chunk[:4] == b"ds64":
                long_size = int.from_bytes(file.read(16)[8:], "little")
            if chunk[:4] == b"fmt ":
                layout = _layout(file.read(min(size, 40)), order)
            file.seek(start + size + size % 2)
    return None


def _layout(chunk: bytes, order: str) -> dict:
    kind, channels, rate_hz, block, bits = (
        int.from_bytes(chunk[at : at + size], order)
        for at, size in ((0, 2), (2, 2), (4, 4), (12, 2), (14, 2))
    )
    if kind == _EXTENSIBLE:
        kind = int.from_bytes(chunk[24:26], order)
    subtype = _SUBTYPES.get((kind, bits))
    is_whole = channels and 8 * block == channels * bits
    if not (subtype and is_whole and 0 < rate_hz < 1 << 31):
        return {}
    return {
        "samplerate": rate_hz,
        "channels": channels,
        "subtype": subtype,
        "endian": order.upper(),
    }


def _are_wrong(
    file: BinaryIO, start: int, said: int, end: int, order: str
) -> bool:
    if said > end - start:
        return any(0 <= size - said < _UNSET_BELOW for size in _UNSET)
    return not _are_chunks(file, start + said + said % 2, end, order)


def _are_chunks(file: BinaryIO, start: int, end: int, order: str) -> bool:
    """Whether all from `start` on is chunks, a tag, or zeros that fill up."""
    while end - start >= 8:
        file.seek(start)
        chunk = file.read(8)
        if chunk[:3] in _TAGS:
            return True
        if end - start < _UNSET_BELOW and not any(chunk + file.read()):
            return True
        size = int.from_bytes(chunk[4:], order)
        is_name = all(32 <= byte < 127 for byte in chunk[:4])
        if not is_name or start + 8 + size > end:
            return False
        start += 8 + size + size % 2
    return True
