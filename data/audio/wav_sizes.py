"""How much sound a WAV has: its header may not know, or wrap at 4 GB."""

import dataclasses
import os
from typing import BinaryIO

_MARKS = (b"RIFF", b"RIFX", b"RF64", b"BW64")
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
    """

    said: int
    there: int
    are_wrong: bool


def read(path: str | os.PathLike) -> WavSizes | None:
    """The sizes of a file; None: it is no WAV, or has no chunk of sound."""
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(0)
        head = file.read(12)
        if head[:4] not in _MARKS or head[8:] != b"WAVE":
            return None
        order = "big" if head[:4] == b"RIFX" else "little"
        long_size = None
        while len(chunk := file.read(8)) == 8:
            size = int.from_bytes(chunk[4:], order)
            if chunk[:4] == b"data":
                if long_size is not None and size == (1 << 32) - 1:
                    size = long_size
                return _of_data(file, size, end, order)
            start = file.tell()
            if chunk[:4] == b"ds64":
                long_size = int.from_bytes(file.read(16)[8:], "little")
            file.seek(start + size + size % 2)
    return None


def _of_data(file: BinaryIO, said: int, end: int, order: str) -> WavSizes:
    there = end - file.tell()
    if said > there:
        unset = any(0 <= size - said < _UNSET_BELOW for size in _UNSET)
        return WavSizes(said, there, unset)
    start = file.tell() + said + said % 2
    return WavSizes(said, there, not _are_chunks(file, start, end, order))


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
