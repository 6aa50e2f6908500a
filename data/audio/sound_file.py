"""Reads sound files: mono, at the wanted rate, or refused with a reason.

libsndfile decodes WAV, FLAC and short Ogg where it reads all of them, FFmpeg
what else there is (`ffmpeg_decoder`), whatever the file is called; soxr
resamples, all outside the graph. Levels are kept: nothing is normalised.
"""

import contextlib
import dataclasses
import errno
import functools
import math
import os
import stat
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from data.audio import ffmpeg_decoder, level, wav_sizes
from data.audio.audio_header import AudioHeader, AudioRejected
from data.audio.full_scale import FullScale
from data.run.csv_table import printable

_MIN_RATE_HZ, _MAX_RATE_HZ = 1_000, 768_000
_BLOCK_S = 30
# Of Ogg that can be one page of sound, where FFmpeg 8 takes the start wrong.
_SHORT_OGG_BYTES = 80_000
_OGG_STREAM = b"OggS\0\2"


@dataclasses.dataclass(frozen=True)
class AudioClip:
    """A decoded piece of a recording.

    Attributes:
      header: of the file.
      audio: (T,) float32, full scale 1; may go beyond.
      seconds: its length in the file.
      over_full_scale: whether a sample of the file was beyond +-1.
      skipped_packets: how many could not be decoded.
      damaged_s: where in the file the first of them is.
    """

    header: AudioHeader
    audio: np.ndarray
    seconds: float
    over_full_scale: bool
    skipped_packets: int = 0
    damaged_s: float = 0.0

    @property
    def bad_packets(self) -> str:
        """How many packets were skipped, and where; "" for none."""
        if not self.skipped_packets:
            return ""
        return (
            f"damaged at {self.damaged_s:.2f} s: {self.skipped_packets} "
            "packets that cannot be decoded are left out; copy or export it "
            "again"
        )


class Piece(NamedTuple):
    """A stretch of a recording, mono, at the file's own rate.

    Attributes:
      audio: (T,) float32, full scale 1; may go beyond.
      over_full_scale: whether a sample of the file was beyond +-1.
      skipped_packets: how many could not be decoded.
      damaged_at: frame of the file where the first of them is.
    """

    audio: np.ndarray
    over_full_scale: bool
    skipped_packets: int
    damaged_at: int


def read_header(path: str | os.PathLike) -> AudioHeader:
    """Finds out what sound a file has, see `AudioHeader`.

    Raises:
      AudioRejected: it is not there, cannot be read, is not audio, or has no
        samples.
    """
    start = _start_of(path)
    sizes = wav_sizes.read(path)
    header = None
    if (
        start.startswith(b"fLaC")
        or (sizes and (sizes.layout or not sizes.are_wrong))
        # Chained ones have several.
        or start.count(_OGG_STREAM) == 1
    ):
        header, is_float = _libsndfile_header(path, sizes)
    if header is None:
        is_wrong = sizes is not None and sizes.are_wrong
        header, is_float = ffmpeg_decoder.measure(path, is_wrong)
    if header.num_frames <= 0:
        raise AudioRejected(
            "empty", "it has a header but no samples: record or copy it again"
        )
    if not _MIN_RATE_HZ <= header.sample_rate_hz <= _MAX_RATE_HZ:
        raise AudioRejected(
            "damaged",
            f"its header says {header.sample_rate_hz} Hz, outside "
            f"{_MIN_RATE_HZ} to {_MAX_RATE_HZ}: copy or export it again",
        )
    if is_float:
        full_scale = FullScale()
        block = _BLOCK_S * header.sample_rate_hz
        for first in range(0, header.num_frames, block):
            full_scale.add(_read(path, header, first, block)[0])
        header = dataclasses.replace(header, full_scale=full_scale.value)
    return header


def read_clip(
    path: str | os.PathLike,
    sample_rate_hz: int,
    start_s: float = 0.0,
    seconds: float | None = None,
    header: AudioHeader | None = None,
) -> AudioClip:
    """Decodes a piece of a sound file to mono at `sample_rate_hz`.

    Channels are averaged; resampling is band-limited. Each piece is
    resampled by itself (our choice), so no recording is held whole.

    Args:
      path: the file.
      sample_rate_hz: rate wanted.
      start_s: where the piece starts.
      seconds: its length; None: to the end. The piece is shorter where the
        recording ends.
      header: from `read_header`; None: it is read.

    Raises:
      AudioRejected: not audio, undecodable, without samples there, or with
        samples that are not finite.
    """
    if header is None:
        header = read_header(path)
    rate_hz = header.sample_rate_hz
    first = round(start_s * rate_hz)
    count = None if seconds is None else round(seconds * rate_hz)
    piece = read_piece(path, header, first, count)
    audio = piece.audio
    if rate_hz != sample_rate_hz:
        audio = soxr.resample(audio, rate_hz, sample_rate_hz)
    if seconds is not None:
        audio = audio[: round(seconds * sample_rate_hz)]
    return AudioClip(
        header,
        audio,
        len(piece.audio) / rate_hz,
        piece.over_full_scale,
        piece.skipped_packets,
        piece.damaged_at / rate_hz,
    )


def read_piece(
    path: str | os.PathLike,
    header: AudioHeader,
    first: int = 0,
    count: int | None = None,
) -> Piece:
    """Decodes a stretch of a sound file to mono, at its own rate.

    Args:
      path: the file.
      header: from `read_header`.
      first: where it starts, in frames.
      count: its length; None: to the end. Shorter where the recording ends.

    Raises:
      AudioRejected: as `read_clip`.
    """
    _start_of(path)
    frames, skipped, damaged_at = _read(path, header, first, count)
    if not frames.size:
        raise AudioRejected(
            "damaged",
            f"damaged at {first / header.sample_rate_hz:g} s: nothing can be "
            "decoded from there on; copy or export it again",
        )
    lowest, highest = float(frames.min()), float(frames.max())
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        not_finite = frames.size - int(np.isfinite(frames).sum())
        raise AudioRejected(
            "non_finite",
            f"{not_finite} of {frames.size} samples are NaN or infinite: "
            "export it again",
        )
    # Channel by channel: a mean over an axis of two is ten times slower.
    total = functools.reduce(np.add, frames.T)
    audio = total / np.float32(frames.shape[1] * header.full_scale)
    over_full_scale = max(-lowest, highest) > header.full_scale
    return Piece(audio, over_full_scale, skipped, damaged_at)


def check_length(seconds: float, min_seconds: float) -> None:
    """Raises `AudioRejected` for audio shorter than `min_seconds`."""
    # To the millisecond: cuts fall between frames.
    if round(seconds, 3) < min_seconds:
        raise AudioRejected(
            "too_short",
            f"{seconds:.3g} s is shorter than --min_seconds={min_seconds:g}: "
            "lower that flag to keep it",
        )


def check_level(audio: np.ndarray, silence_db: float) -> None:
    """Raises `AudioRejected` when the peak is below `silence_db` dBFS."""
    peak_db = level.peak_db(audio)
    if peak_db < silence_db:
        raise AudioRejected(
            "silent",
            f"its mono peak, {peak_db:.1f} dBFS, is below "
            f"--silence_db={silence_db:g}: --keep_silent keeps it",
        )


def _start_of(path: str | os.PathLike) -> bytes:
    """First bytes of a file, all of a short Ogg; or why there are none."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            is_folder = stat.S_ISDIR(status.st_mode)
            what = "a folder" if is_folder else "a device, pipe or socket"
            raise AudioRejected(
                "not_a_file", f"{what}, not a file: name a recording"
            )
        if not status.st_size:
            raise AudioRejected("empty", "0 bytes: record or copy it again")
        with open(path, "rb") as file:
            start = file.read(4)
            if start == b"OggS" and status.st_size < _SHORT_OGG_BYTES:
                start += file.read()
            return start
    except OSError as error:
        is_gone = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
        if is_gone and os.path.islink(path):
            target = printable(os.fsdecode(os.readlink(path)))
            raise AudioRejected(
                "broken_link",
                f"a link to {target}, which is not there: mend it, or take it "
                "away",
            ) from error
        if is_gone:
            raise AudioRejected(
                "no_such_file", "there is no such file: is the path right?"
            ) from error
        raise AudioRejected(
            "no_access",
            f"cannot be read ({error.strerror}): check its rights",
        ) from error


def _libsndfile_header(
    path: str | os.PathLike, sizes: wav_sizes.WavSizes | None
) -> tuple[AudioHeader | None, bool]:
    """Header, and whether samples are floats; None: FFmpeg is to look."""
    is_wrong = sizes is not None and sizes.are_wrong
    promised = None
    # FFmpeg knows more codecs, and what is left of a damaged FLAC.
    with contextlib.suppress(soundfile.SoundFileError, ValueError, TypeError):
        with _open(path, is_wrong) as file:
            if sizes is None and not _has_end(file):
                return None, False
            if sizes and sizes.said > sizes.there and not is_wrong:
                promised = file.frames * sizes.said // max(sizes.there, 1)
            header = AudioHeader(
                file.frames,
                file.samplerate,
                file.channels,
                promised,
                by_file_length=is_wrong,
            )
            return header, file.subtype in ("FLOAT", "DOUBLE")
    return None, False


def _read(
    path: str | os.PathLike, header: AudioHeader, first: int, count: int | None
) -> tuple[np.ndarray, int, int]:
    """See `ffmpeg_decoder.read`."""
    left = max(0, header.num_frames - first)
    count = left if count is None else min(count, left)
    if header.by_libsndfile:
        # ValueError: the length read first and the one after a seek differ.
        # MemoryError: a damaged header's number of channels.
        with contextlib.suppress(RuntimeError, ValueError, MemoryError):
            with _open(path, header.by_file_length) as file:
                if first:
                    file.seek(first)
                frames = file.read(count, dtype="float32", always_2d=True)
                if len(frames) == count:
                    return frames, 0, 0
    return ffmpeg_decoder.read(path, header, first, count)


def _open(
    path: str | os.PathLike, by_file_length: bool
) -> contextlib.AbstractContextManager[soundfile.SoundFile]:
    if by_file_length:
        return wav_sizes.read(path).opened(path)
    # Bytes, since names need not be valid in the system's encoding.
    return soundfile.SoundFile(os.fsencode(path))


def _has_end(file: soundfile.SoundFile) -> bool:
    try:
        file.seek(file.frames - 1)
        return len(file.read(1)) == 1
    except (RuntimeError, ValueError):
        return False
