"""Decodes the sound of any container, by FFmpeg's libraries (PyAV).

A piece of a long file is found by its time where times tell samples, and is
then what a decode of the whole file has there, but for noise that AAC leaves
to decoders to draw.
"""

import contextlib
import dataclasses
import math
import os
import re
from collections.abc import Iterator

import av
import numpy as np
import soxr
from av.stream import Discard

from data.audio.audio_header import AudioHeader, AudioRejected

# Containers that can hold sound, by the names of FFmpeg's demuxers. Not among
# them: text, images, playlists and what else names other files, devices, and
# formats without a mark to know them by.
_CONTAINERS = (
    "3dostr aa aac ac3 ac4 aea aiff alp amr amrnb amrwb ape asf ast au avi avr"
    " bfstm binka boa bonk brstm caf codec2 dhav dsf dss dts dtshd dv eac3 ea"
    " epaf flac flv fsb gsm gxf hca hcom iamf iff ilbc ircam kvag laf lc3"
    " live_flv loas lxf matroska webm mca mlp mmf mov mp3 mp4 mpc mpc8 mpeg"
    " mpegts msf mtaf mxf nistsphere nsv nut nuv ogg oma osq paf pvf qcp qoa"
    " rka rm sbc shn sol sox spdif swf tak truehd tta voc vqf w64 wav wavarc"
    " wsaud wsd wtv wv xa xwma"
).split()
# Those whose header says how long the sound is; of others FFmpeg guesses it
# from the size.
_PROMISE = set(
    "aiff ape asf au avi caf flac flv matroska mov mp3 mpc mpc8 tak tta w64"
    " wv".split()
)
# Those whose seeks go to a time that is true, for every codec.
_SEEK = set(
    "aac amr amrnb amrwb flac flv matroska mov mp3 mpegts ogg tta wv".split()
)
_OPTIONS = {
    "format_whitelist": ",".join(_CONTAINERS),
    "protocol_whitelist": "file",
}
# Shortest frames of a codec that has several lengths, samples.
_GRIDS = {"opus": 120}
# What codecs add at both ends may be in a promise, s (our choice).
_CUT_S = 0.2
# Decoders forget what they have not seen, within this (our choice).
_LEAD_S = 1.0
# Sound rarely compresses better, silence does: then it is counted by decoding.
_USUAL_FRAMES_PER_BYTE = 20

# Else FFmpeg tells stderr of each damaged place, but not in which file.
av.logging.set_level(None)


class _StartsLate(Exception):
    """A seek went past the piece that is wanted."""


def measure(
    path: str | os.PathLike, ignore_length: bool = False
) -> tuple[AudioHeader, bool]:
    """Finds out what sound a file has, decoding as little as possible.

    Args:
      path: the file; it is there and not empty.
      ignore_length: whether it is a WAV whose header has a wrong length.

    Returns:
      The header, and whether its samples are stored as floats.

    Raises:
      AudioRejected: it is not audio, or none of it can be decoded.
    """
    with _opened(path, ignore_length) as sound:
        header = sound.measured()
        promised_s = 0 if ignore_length else sound.promised_s()
        is_float = sound.is_float
    if header is None:
        with _opened(path, ignore_length) as sound:
            header = sound.counted()
    if promised_s > header.seconds + _CUT_S:
        promised = round(promised_s * header.sample_rate_hz)
        header = dataclasses.replace(header, promised_frames=promised)
    header = dataclasses.replace(header, by_file_length=ignore_length)
    return header, is_float


def read(
    path: str | os.PathLike,
    header: AudioHeader,
    first: int = 0,
    count: int | None = None,
) -> tuple[np.ndarray, int, int]:
    """Decodes a piece of a file.

    Packets that cannot be decoded are skipped; where times tell samples, they
    leave zeros.

    Args:
      path: the file.
      header: of it.
      first: where the piece starts, in frames of the header's rate.
      count: how long it is; None: to the end. Shorter where the file ends.

    Returns:
      (T, channels) float32, the number of packets skipped, and the frame of
      the file where the first of them is.

    Raises:
      AudioRejected: none of it can be decoded.
    """
    end = math.inf if count is None else first + count
    lead = round(_LEAD_S * header.sample_rate_hz)
    if header.can_seek and first > 2 * lead:
        try:
            with _opened(path, header.by_file_length) as sound:
                return sound.piece(header, first, end, first - lead)
        except (_StartsLate, av.FFmpegError):
            pass  # Then from the start.
    with _opened(path, header.by_file_length) as sound:
        return sound.piece(header, first, end)


@contextlib.contextmanager
def _opened(path: str | os.PathLike, ignore_length: bool) -> Iterator["_Sound"]:
    more = {"ignore_length": "1"} if ignore_length else {}
    try:
        file = av.open(
            "file:" + os.fsdecode(path),
            format="wav" if ignore_length else None,
            options=_OPTIONS | more,
            metadata_errors="replace",
        )
    except (av.FFmpegError, ValueError, MemoryError) as error:
        with open(path, "rb") as start:
            is_mp4 = start.read(8)[4:] == b"ftyp"
        if is_mp4:
            raise AudioRejected(
                "damaged",
                "damaged from its start on: MP4 whose index is missing or "
                "wrong, as of a recorder that was cut off; copy it again",
            ) from error
        raise AudioRejected(
            "not_audio",
            "no sound file that FFmpeg knows: convert it to WAV or FLAC, or "
            "take it away",
        ) from error
    with file:
        yield _Sound(path, file)


class _Sound:
    """The sound of an open file.

    Places are samples, counted in the time of packets.
    """

    def __init__(
        self, path: str | os.PathLike, file: av.container.InputContainer
    ):
        self._path, self._file = path, file
        stream = file.streams.best("audio")
        if stream is None:
            raise AudioRejected(
                "no_sound",
                f"a file of type {file.format.name} without sound: take it "
                "away",
            )
        if stream.codec_context is None:
            raise AudioRejected(
                "unsupported",
                "its sound is of a kind that FFmpeg cannot decode: convert it "
                "to WAV or FLAC",
            )
        self._num_bytes = os.path.getsize(path)
        self._stream, self._codec = stream, stream.codec_context
        # Files are decoded side by side already.
        self._codec.thread_count = 1
        for other in file.streams:
            if other is not stream:
                other.discard = Discard.all
        self._formats = file.format.name.split(",")
        self._rate_hz = self._codec.sample_rate
        # In samples; 0 where a damaged header says neither.
        self._tick = (stream.time_base or 0) * self._rate_hz
        self._grid = 1
        if self._tick.numerator != 1:  # Not a whole number of them a sample.
            grid = _GRIDS.get(self._codec.name, self._codec.frame_size)
            self._grid = grid if grid > 2 * self._tick else 0
        # Not as a fraction: this is counted for every packet.
        self._scale = float(self._tick / (self._grid or 1))
        self._first_pts: int | None = None
        self._first_byte = 0
        self._skipped = 0

    def _samples(self, ticks: int) -> int:
        return round(ticks * self._scale) * self._grid

    def _place(self, pts: int | None) -> int | None:
        if pts is None or self._first_pts is None or not self._grid:
            return None
        return self._samples(pts - self._first_pts)

    def _packets(self) -> Iterator[av.Packet]:
        """To the end, or to where the container is damaged."""
        try:
            for packet in self._file.demux(self._stream):
                if self._first_pts is None:
                    self._first_pts = packet.pts
                    self._first_byte = packet.pos or 0
                yield packet
        except av.FFmpegError:
            self._skipped += 1

    def _decoded(self, packet: av.Packet) -> list[av.AudioFrame]:
        try:
            return self._codec.decode(packet)
        except (av.FFmpegError, MemoryError):
            self._skipped += 1
            return []

    @property
    def is_float(self) -> bool:
        return self._codec.name.startswith("pcm_f")

    def promised_s(self) -> float:
        """How long the container says that it is; 0: it does not say."""
        # Others' are guesses, from the size of the file.
        if _PROMISE.isdisjoint(self._formats):
            return 0
        if "mp3" in self._formats and not self._has_xing():
            return 0
        if self._stream.duration:
            return float(self._stream.duration * self._stream.time_base)
        tag = self._stream.metadata.get("DURATION", "")
        if time := re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", tag):
            hours, minutes, seconds = time.groups()
            return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
        # That of the longest stream.
        is_alone = len(self._file.streams) == 1
        return (self._file.duration or 0) / av.time_base if is_alone else 0

    def _has_xing(self) -> bool:
        """Whether an MP3's length stands in it, before the first packet."""
        with open(self._path, "rb") as file:
            file.seek(max(0, self._first_byte - 2048))
            head = file.read(min(2048, self._first_byte))
        return any(mark in head for mark in (b"Xing", b"Info", b"VBRI"))

    def measured(self) -> AudioHeader | None:
        """By the times of packets; None: they do not tell."""
        is_pcm = self._codec.name.startswith("pcm_")
        is_true = is_pcm or not _SEEK.isdisjoint(self._formats)
        if not (is_true and self._grid):
            return None
        first = lead = end = None
        at = longest = padding = 0
        for packet in self._packets():
            if lead is None:
                for frame in self._decoded(packet):
                    first = first or frame
                    lead = self._lead(lead, frame, at)
                    at += frame.samples
            if not packet.size or packet.is_discard:
                continue
            place = self._place(packet.pts)
            duration = self._samples(packet.duration or 0)
            if not duration and lead is None:
                continue  # Not heard.
            if place is None or not duration:
                return None
            if end is not None and place != end:
                return None
            end, longest = place + duration, max(longest, duration)
            trimmed = _trimmed(packet)
            # In some containers the duration is without it.
            if duration + trimmed > longest + self._grid:
                padding += trimmed
        if lead is None or first.sample_rate != self._rate_hz:
            return None
        num_frames = end - lead - padding
        if not 0 < num_frames <= _USUAL_FRAMES_PER_BYTE * self._num_bytes:
            return None
        return self._header(first, num_frames, can_seek=True)

    def counted(self) -> AudioHeader:
        """By decoding all of it."""
        first, seconds = None, 0.0
        for packet in self._packets():
            for frame in self._decoded(packet):
                first = first or frame
                seconds += frame.samples / frame.sample_rate
        if first is None:
            raise AudioRejected(
                "damaged",
                "damaged from its start on: nothing of its sound can be "
                "decoded; copy or export it again",
            )
        num_frames = round(seconds * first.sample_rate)
        return self._header(first, num_frames, can_seek=False)

    def _header(self, frame, num_frames, can_seek) -> AudioHeader:
        return AudioHeader(
            num_frames,
            frame.sample_rate,
            frame.layout.nb_channels,
            can_seek=can_seek,
            by_libsndfile=False,
        )

    def _lead(self, lead: int | None, frame: av.AudioFrame, at: int):
        """The place of the first sample that is heard.

        The first frame may be trimmed, which coarse times do not tell.
        """
        place = self._place(frame.pts)
        if lead is not None or place is None or not (at or self._grid == 1):
            return lead
        return place - at

    def piece(
        self,
        header: AudioHeader,
        first: int,
        end: float,
        seek_to: int | None = None,
    ) -> tuple[np.ndarray, int, int]:
        """See `read`; `seek_to` is a frame before `first`.

        Raises:
          _StartsLate: the seek went elsewhere.
        """
        lead, at = None, 0
        if seek_to is not None:
            lead = self._seek(seek_to)
            at = None
        pieces = _Pieces(header.sample_rate_hz)
        damaged_at = 0
        for packet in self._packets():
            skipped = self._skipped
            for frame in self._decoded(packet):
                place = None
                if header.can_seek:
                    lead = self._lead(lead, frame, at)
                    place = self._place(frame.pts)
                if at is None and (place is None or place - lead > first):
                    raise _StartsLate
                if place is not None and lead is not None:
                    # Rounded times are no gap, nor do they go back.
                    if at is None or place - lead > at + 1:
                        at = place - lead
                length = frame.samples * header.sample_rate_hz
                start, at = at, at + round(length / frame.sample_rate)
                if at > first:
                    pieces.add(start, frame)
                else:
                    self._skipped = 0
            if self._skipped == 1 > skipped:
                damaged_at = max(at or 0, first)
            if at is not None and at >= end:
                break
        end = min(end, header.num_frames)
        return pieces.cut(first, end), self._skipped, damaged_at

    def _seek(self, frame: int) -> int:
        """Goes to some place before a frame; returns the lead."""
        lead, at = None, 0
        for packet in self._packets():
            for decoded in self._decoded(packet):
                lead = self._lead(lead, decoded, at)
                at += decoded.samples
            if lead is not None:
                break
        else:
            raise _StartsLate
        pts = self._first_pts + int((frame + lead) / self._tick)
        self._file.seek(pts, stream=self._stream)
        return lead


class _Pieces:
    """Frames joined to stretches without a gap.

    Args:
      rate_hz: that of the result; chained files can have several.
    """

    def __init__(self, rate_hz: int):
        self._rate_hz = rate_hz
        self._found: list[tuple[int, np.ndarray]] = []
        self._start, self._samples, self._kind = 0, 0, None
        self._fifo = av.AudioFifo()

    def add(self, start: int, frame: av.AudioFrame) -> None:
        kind = (
            frame.format.name,
            frame.layout.nb_channels,
            frame.sample_rate,
        )
        rate_hz = frame.sample_rate
        end = self._start + round(self._samples * self._rate_hz / rate_hz)
        if kind != self._kind or abs(start - end) > 1:
            self._flush()
            self._start, self._samples, self._kind = start, 0, kind
        frame.pts = None
        self._fifo.write(frame)
        self._samples += frame.samples

    def _flush(self) -> None:
        frame = self._fifo.read()
        self._fifo = av.AudioFifo()
        if frame is not None:
            audio = _to_float(frame)
            _, _, rate_hz = self._kind
            if rate_hz != self._rate_hz:
                audio = soxr.resample(audio, rate_hz, self._rate_hz)
            self._found.append((self._start, audio))

    def cut(self, first: int, end: float) -> np.ndarray:
        """(T, channels) float32 of what is there, zeros in gaps."""
        self._flush()
        if len(self._found) == 1 and self._found[0][0] <= first:
            [(start, audio)] = self._found
            last = int(min(end, start + len(audio)))
            return audio[first - start : max(0, last - start)]
        channels = max((a.shape[1] for _, a in self._found), default=1)
        last = max((s + len(a) for s, a in self._found), default=first)
        length = max(0, int(min(end, last)) - first)
        audio = np.zeros((length, channels), np.float32)
        for start, found in self._found:
            found = found[max(0, first - start) :]
            if found.shape[1] != channels:
                found = found.mean(axis=1, keepdims=True)
            to = audio[max(0, start - first) :]
            to[: len(found)] = found[: len(to)]
        return audio


def _trimmed(packet: av.Packet) -> int:
    """Samples at the end of a packet that are padding."""
    if not packet.has_sidedata("skip_samples"):
        return 0
    skips = bytes(packet.get_sidedata("skip_samples"))
    return int.from_bytes(skips[4:8], "little")


def _to_float(frame: av.AudioFrame) -> np.ndarray:
    """(T, channels) float32, full scale 1."""
    try:
        audio = frame.to_ndarray()
    except ValueError as error:
        raise AudioRejected(
            "unsupported",
            f"its samples are of type {frame.format.name}: convert it to WAV "
            "or FLAC",
        ) from error
    channels = frame.layout.nb_channels
    is_planar = frame.format.is_planar
    audio = audio.T if is_planar else audio.reshape(-1, channels)
    if audio.dtype == np.uint8:
        return (audio - np.float32(128)) / np.float32(128)
    if audio.dtype.kind == "i":
        full_scale = -float(np.iinfo(audio.dtype).min)
        return audio.astype(np.float32) * np.float32(1 / full_scale)
    return audio.astype(np.float32, copy=False)
