"""Sound files of many containers and codecs, made by FFmpeg's encoders."""

import fractions
import pathlib
import subprocess

import av
import numpy as np
import soundfile

# Of encoders: Vorbis is experimental; AAC is not to leave noise to decoders,
# which draw it, each time another.
_OPTIONS = {"vorbis": {"strict": "-2"}, "aac": {"aac_pns": "0"}}
# By suffix: codec and container.
KINDS = {
    ".3gp": ("aac", "3gp"),
    ".aac": ("aac", "adts"),
    ".ac3": ("ac3", "ac3"),
    ".aif": ("pcm_s24be", "aiff"),
    ".aiff": ("pcm_s16be", "aiff"),
    ".amr": ("libopencore_amrnb", "amr"),
    ".au": ("pcm_mulaw", "au"),
    ".avi": ("libmp3lame", "avi"),
    ".caf": ("pcm_s16le", "caf"),
    ".eac3": ("eac3", "eac3"),
    ".flac": ("flac", "flac"),
    ".flv": ("aac", "flv"),
    ".m4a": ("aac", "ipod"),
    ".m4b": ("alac", "ipod"),
    ".mka": ("vorbis", "matroska"),
    ".mkv": ("flac", "matroska"),
    ".mov": ("pcm_s16le", "mov"),
    ".mp2": ("mp2", "mp2"),
    ".mp3": ("libmp3lame", "mp3"),
    ".mp4": ("aac", "mp4"),
    ".mpg": ("mp2", "mpeg"),
    ".nut": ("pcm_f32le", "nut"),
    ".oga": ("flac", "ogg"),
    ".ogg": ("vorbis", "ogg"),
    ".opus": ("libopus", "ogg"),
    ".rm": ("real_144", "rm"),
    ".sox": ("pcm_s32le", "sox"),
    ".ts": ("aac", "mpegts"),
    ".tta": ("tta", "tta"),
    ".voc": ("pcm_u8", "voc"),
    ".w64": ("pcm_s16le", "w64"),
    ".wav": ("pcm_s16le", "wav"),
    ".wave": ("adpcm_ms", "wav"),
    ".webm": ("libopus", "webm"),
    ".wma": ("wmav2", "asf"),
    ".wv": ("wavpack", "wv"),
}
# Of those that do not take every rate.
RATES_HZ = {".amr": 8000, ".rm": 8000, ".opus": 48000}
RATES_HZ |= {".voc": 20000, ".webm": 48000}


def write_by_program(
    path: pathlib.Path, audio: np.ndarray, rate_hz: int, kind: str
) -> pathlib.Path:
    """Has the program `ffmpeg` write (T,) audio; see `write`."""
    codec, container = KINDS[kind]
    source = path.with_suffix(".source.wav")
    if codec == "vorbis":
        audio = np.stack([audio, audio], axis=1)
    soundfile.write(source, audio, rate_hz, "FLOAT")
    options = ["-strict", "-2", "-c:a", codec, "-f", container]
    command = ["ffmpeg", "-v", "error", "-i", source, *options, path]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def write(
    path: pathlib.Path,
    audio: np.ndarray,
    rate_hz: int,
    kind: str = "",
    bit_rate: int | None = None,
) -> pathlib.Path:
    """Writes (T,) or (T, 2) audio.

    Args:
      path: where to.
      audio: full scale 1.
      rate_hz: that the codec takes.
      kind: one of `KINDS`; default: the suffix of the path.
      bit_rate: bits a second, where the codec is to be told.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    codec, container = KINDS[kind or path.suffix]
    samples = np.atleast_2d(np.asarray(audio, "f4").T)
    if codec == "vorbis" and len(samples) == 1:  # It knows stereo alone.
        samples = np.repeat(samples, 2, axis=0)
    layout = ("mono", "stereo")[len(samples) - 1]
    # The index of MP4 first, as on the web, where it is told what is missing.
    movable = container in ("ipod", "mov", "mp4")
    flags = {"movflags": "+faststart"} if movable else {}
    with av.open(str(path), "w", format=container, options=flags) as file:
        stream = file.add_stream(
            codec,
            rate=rate_hz,
            layout=layout,
            options=_OPTIONS.get(codec, {}),
        )
        if codec == "wmav2":
            bit_rate = 128_000
        if bit_rate:
            stream.bit_rate = bit_rate
        context = stream.codec_context
        context.open()
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples), "fltp", layout
        )
        frame.sample_rate = rate_hz
        resampler = av.AudioResampler(
            context.format, layout, rate_hz, context.frame_size or 1024
        )
        place = 0
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            part.pts, part.time_base = place, fractions.Fraction(1, rate_hz)
            place += part.samples
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return path
