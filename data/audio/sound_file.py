"""Reads sound files: mono, at the wanted rate, or refused with a reason.

libsndfile decodes (WAV, FLAC, OGG, MP3), soxr resamples, both outside the
graph. Levels are kept: nothing is normalised.
"""

import dataclasses
import os

import numpy as np
import soundfile
import soxr

from data.audio import level
from data.run.rejects import Rejected

# Where a header promises more, the end is looked for: sound rarely compresses
# so well, silence does (to 300 samples a byte in FLAC, 1000 in Vorbis).
_USUAL_FRAMES_PER_BYTE = 20
_MIN_RATE_HZ, _MAX_RATE_HZ = 1_000, 768_000


class AudioRejected(Rejected):
    """A recording or clip that cannot be used."""


@dataclasses.dataclass(frozen=True)
class AudioHeader:
    """What a file says of itself; MP3 lengths may be estimates."""

    num_frames: int
    sample_rate_hz: int
    num_channels: int

    @property
    def seconds(self) -> float:
        return self.num_frames / self.sample_rate_hz


@dataclasses.dataclass(frozen=True)
class AudioClip:
    """A decoded piece of a recording.

    Attributes:
      header: of the file.
      audio: (T,) float32, full scale 1; may go beyond.
      seconds: its length in the file.
      over_full_scale: whether a sample of the file was beyond +-1.
    """

    header: AudioHeader
    audio: np.ndarray
    seconds: float
    over_full_scale: bool


def read_header(path: str | os.PathLike) -> AudioHeader:
    """Reads the header of a sound file.

    Raises:
      AudioRejected: the file is empty, not audio, or its header is damaged.
    """
    with _open(path) as file:
        header = AudioHeader(file.frames, file.samplerate, file.channels)
        num_bytes = os.path.getsize(path)
        usual_frames = _USUAL_FRAMES_PER_BYTE * num_bytes
        lies = header.num_frames > usual_frames and not _has_end(file)
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
    if lies:
        raise AudioRejected(
            "damaged",
            f"its header promises {header.seconds:.0f} s in {num_bytes} "
            "bytes, and its end is not there: copy or export it again",
        )
    return header


def read_clip(
    path: str | os.PathLike,
    sample_rate_hz: int,
    start_s: float = 0.0,
    seconds: float | None = None,
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

    Raises:
      AudioRejected: not audio, undecodable, without samples there, or with
        samples that are not finite.
    """
    header = read_header(path)
    rate_hz = header.sample_rate_hz
    first = round(start_s * rate_hz)
    count = -1 if seconds is None else round(seconds * rate_hz)
    with _open(path) as file:
        try:
            if first:
                file.seek(first)
            frames = file.read(count, dtype="float32", always_2d=True)
        # ValueError: the length read first and the one after a seek differ.
        # MemoryError: a damaged header's number of channels.
        except (RuntimeError, ValueError, MemoryError) as error:
            raise AudioRejected(
                "undecodable",
                f"decoding failed at or after {start_s:g} s "
                f"({_first_line(error)}): copy or export it again",
            ) from error
    if not frames.size:
        raise AudioRejected(
            "undecodable",
            f"no samples at {start_s:g} s, though its header says "
            f"{header.seconds:.2f} s: copy or export it again",
        )
    not_finite = frames.size - int(np.isfinite(frames).sum())
    if not_finite:
        raise AudioRejected(
            "non_finite",
            f"{not_finite} of {frames.size} samples are NaN or infinite: "
            "export it again",
        )
    audio = frames.mean(axis=1)
    if rate_hz != sample_rate_hz:
        audio = soxr.resample(audio, rate_hz, sample_rate_hz)
    if seconds is not None:
        audio = audio[: round(seconds * sample_rate_hz)]
    over_full_scale = bool(np.abs(frames).max() > 1)
    return AudioClip(header, audio, len(frames) / rate_hz, over_full_scale)


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


def _open(path: str | os.PathLike) -> soundfile.SoundFile:
    try:
        if not os.path.getsize(path):
            raise AudioRejected("empty", "0 bytes: record or copy it again")
        # libsndfile says only "System error" where the system says why.
        open(path, "rb").close()
        # Bytes, since names need not be valid in the system's encoding.
        return soundfile.SoundFile(os.fsencode(path))
    except soundfile.SoundFileError as error:
        detail = getattr(error, "error_string", None) or _first_line(error)
        raise AudioRejected(
            "not_audio",
            f"not readable as audio ({detail.rstrip('.')}): convert it to "
            "WAV or FLAC, or take it away",
        ) from error
    except OSError as error:
        raise AudioRejected(
            "no_access",
            f"cannot be opened ({error.strerror}): check its rights",
        ) from error


def _has_end(file: soundfile.SoundFile) -> bool:
    try:
        file.seek(file.frames - 1)
        return len(file.read(1)) == 1
    except (RuntimeError, ValueError):
        return False


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
