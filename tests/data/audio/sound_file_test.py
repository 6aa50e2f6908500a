import os
import re
import shutil

import av
import numpy as np
import pytest

from data.audio import encoding, ffmpeg_decoder, sound_file
from data.audio.full_scale import FullScale
from data.audio.sound_file import AudioRejected
from tests.data import containers, sound_files
from tests.data.sound_files import tone, write


@pytest.mark.parametrize("rate_hz", [8000, 96000])
def test_a_tone_keeps_frequency_level_and_length(tmp_path, rate_hz):
    path = write(tmp_path / "a.wav", tone(1.25, rate_hz), rate_hz)
    clip = sound_file.read_clip(path, 16000)
    assert clip.audio.dtype == np.float32
    assert clip.audio.size == 20000
    assert clip.seconds == pytest.approx(1.25, abs=1e-4)
    assert clip.header.sample_rate_hz == rate_hz
    assert sound_files.frequency_hz(clip.audio, 16000) == pytest.approx(
        1000, abs=1
    )
    assert sound_files.amplitude(clip.audio) == pytest.approx(0.5, rel=2e-3)


def test_what_lies_above_half_the_rate_is_removed_not_folded(tmp_path):
    audio = tone(1.0, 96000, frequency_hz=11000)
    clip = sound_file.read_clip(write(tmp_path / "a.wav", audio, 96000), 16000)
    assert sound_files.amplitude(clip.audio) < 1e-3


@pytest.mark.parametrize(
    "name, subtype, error",
    [("a.wav", "PCM_16", 1e-4), ("a.flac", "PCM_24", 1e-6)],
)
def test_formats_decode_to_the_samples_written(tmp_path, name, subtype, error):
    path = write(tmp_path / name, subtype=subtype)
    clip = sound_file.read_clip(path, 16000)
    np.testing.assert_allclose(clip.audio, tone(), atol=error)


@pytest.mark.parametrize("name", ["a.ogg", "a.MP3"])
def test_lossy_formats_keep_frequency_and_level(tmp_path, name):
    path = write(tmp_path / name, format=name[2:].upper())
    clip = sound_file.read_clip(path, 16000)
    frequency = sound_files.frequency_hz(clip.audio, 16000)
    assert frequency == pytest.approx(1000, abs=2)
    assert sound_files.amplitude(clip.audio) == pytest.approx(0.5, rel=0.05)


def test_channels_are_averaged_and_levels_kept_beyond_full_scale(tmp_path):
    left, right = tone(amplitude=2.5), tone(frequency_hz=3000, amplitude=0.5)
    stereo = np.stack([left, right], 1)
    path = write(tmp_path / "a.wav", stereo, subtype="FLOAT")
    clip = sound_file.read_clip(path, 16000)
    assert clip.header.num_channels == 2 and clip.over_full_scale
    np.testing.assert_allclose(clip.audio, (left + right) / 2, atol=1e-6)


def test_a_piece_is_the_slice_and_ends_with_the_recording(tmp_path):
    audio = np.random.default_rng(0).uniform(-0.5, 0.5, 20000)
    path = write(tmp_path / "a.flac", audio)
    piece = sound_file.read_clip(path, 16000, start_s=0.5, seconds=0.25)
    np.testing.assert_allclose(piece.audio, audio[8000:12000], atol=1e-4)
    last = sound_file.read_clip(path, 16000, start_s=1.0, seconds=10)
    np.testing.assert_allclose(last.audio, audio[16000:], atol=1e-4)
    assert last.seconds == 0.25


def rejection(call, *arguments) -> tuple[str, str]:
    with pytest.raises(AudioRejected) as caught:
        call(*arguments)
    return caught.value.kind, caught.value.reason


def test_refused_files_say_value_and_remedy(tmp_path):
    (tmp_path / "text.wav").write_text("this is not audio")
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")
    os.symlink("nowhere.ogg", tmp_path / "link.wav")
    os.symlink("circle.wav", tmp_path / "circle.wav")
    (tmp_path / "empty.wav").touch()
    write(tmp_path / "header.wav", np.zeros(0))
    for name, kind, reason in (
        ("text", "not_audio", "no sound file that FFmpeg knows: convert it"),
        ("empty", "empty", "0 bytes: record or copy it again"),
        ("header", "empty", "a header but no samples"),
        ("gone", "no_such_file", "there is no such file"),
        ("text.wav/gone", "no_such_file", "there is no such file"),
        ("folder", "not_a_file", "a folder, not a file"),
        ("pipe", "not_a_file", "a device, pipe or socket, not a file"),
        ("link", "broken_link", "a link to nowhere.ogg, which is not there"),
        ("circle", "broken_link", "a link to circle.wav, which is not there"),
    ):
        path = tmp_path / f"{name}.wav"
        found_kind, found_reason = rejection(sound_file.read_header, path)
        assert found_kind == kind, name
        assert reason in found_reason


def test_samples_that_are_not_finite_are_counted(tmp_path):
    audio = tone()
    audio[[5, 99]] = np.nan
    audio[7] = np.inf
    path = write(tmp_path / "a.wav", audio, subtype="FLOAT")
    kind, reason = rejection(sound_file.read_clip, path, 16000)
    assert kind == "non_finite"
    assert reason.startswith("3 of 16000 samples are NaN or infinite")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.m4a"])
def test_of_a_truncated_file_what_is_there_is_read_and_both_lengths_told(
    tmp_path, name
):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 160000)
    path = containers.write(tmp_path / name, noise, 16000)
    whole = sound_file.read_clip(path, 16000).audio
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 4])
    header = sound_file.read_header(path)
    assert header.seconds == pytest.approx(2.5, abs=0.5)
    assert header.promised_frames == pytest.approx(160000, abs=3000)
    assert re.match(
        rf"{header.seconds:.2f} s are there of the 10\.\d\d s that its header "
        "promises",
        header.cut_short,
    )
    audio = sound_file.read_clip(path, 16000).audio
    np.testing.assert_allclose(audio[:30000], whole[:30000], atol=1e-6)
    kind, reason = rejection(sound_file.read_clip, path, 16000, 8.0, 1.0)
    assert kind == "damaged" and reason.startswith("damaged at 8 s: nothing")


@pytest.mark.parametrize("name", ["a.flac", "a.ogg"])
def test_long_silence_is_no_damage(tmp_path, name):
    path = write(tmp_path / name, np.zeros((160000, 2)), 44100)
    header = sound_file.read_header(path)
    assert header.num_frames == pytest.approx(160000, abs=128)
    assert (header.sample_rate_hz, header.num_channels) == (44100, 2)
    assert not header.cut_short
    assert 160000 > 20 * path.stat().st_size


def test_length_and_level_limits():
    sound_file.check_length(0.25, 0.25)
    kind, reason = rejection(sound_file.check_length, 0.1, 0.25)
    assert kind == "too_short"
    assert reason.startswith("0.1 s is shorter than --min_seconds=0.25")

    # Amplitude 1e-4 is -80 dBFS.
    sound_file.check_level(np.float32([0, 1.1e-4]), -80)
    quiet = np.float32([0, 0.9e-4])
    kind, reason = rejection(sound_file.check_level, quiet, -80)
    assert kind == "silent"
    assert "-80.9 dBFS, is below --silence_db=-80: --keep_silent" in reason


def rich(seconds, rate_hz, seed=0):
    """A chirp and noise: every moment sounds differently."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    noise = np.random.default_rng(seed).normal(0, 0.02, time_s.size)
    sweep = 200 * time_s + 60 * time_s**2
    return 0.5 * np.sin(2 * np.pi * sweep) + noise


HAS_FFMPEG = pytest.mark.skipif(
    not shutil.which("ffmpeg"),
    reason="ffmpeg is not installed (apt install ffmpeg)",
)


@pytest.mark.parametrize(
    "make, kind",
    [
        *((containers.write, kind) for kind in containers.KINDS),
        *(
            pytest.param(containers.write_by_program, kind, marks=HAS_FFMPEG)
            for kind in containers.KINDS
            if kind != ".amr"  # Debian's has no encoder of it.
        ),
    ],
)
def test_every_container_gives_its_length_and_sound(tmp_path, make, kind):
    """Under a name that does not tell what it is."""
    rate_hz = containers.RATES_HZ.get(kind, 44100)
    path = tmp_path / "a.txt"
    make(path, tone(2.6, rate_hz), rate_hz, kind)
    header = sound_file.read_header(path)
    assert header.seconds == pytest.approx(2.6, abs=0.05)
    assert not header.cut_short
    clip = sound_file.read_clip(path, 16000, header=header)
    assert clip.audio.size == pytest.approx(2.6 * 16000, abs=800)
    assert clip.skipped_packets == 0
    frequency = sound_files.frequency_hz(clip.audio, 16000)
    assert frequency == pytest.approx(1000, abs=2)
    assert sound_files.amplitude(clip.audio) == pytest.approx(0.5, rel=0.12)


SOUGHT = (".aac", ".flac", ".m4a", ".mp3", ".mp4", ".oga", ".ogg", ".opus")


@pytest.mark.parametrize("kind", [*SOUGHT, ".flv", ".ts", ".wav", ".webm"])
def test_a_piece_is_found_and_is_what_the_whole_has_there(
    tmp_path, kind, monkeypatch
):
    rate_hz = containers.RATES_HZ.get(kind, 44100)
    path = containers.write(tmp_path / f"a{kind}", rich(20, rate_hz), rate_hz)
    header = sound_file.read_header(path)
    assert header.can_seek
    whole = sound_file.read_clip(path, rate_hz, header=header).audio
    decoded = []
    add = ffmpeg_decoder._Pieces.add
    monkeypatch.setattr(
        ffmpeg_decoder._Pieces,
        "add",
        lambda self, start, frame: (
            decoded.append(start),
            add(self, start, frame),
        ),
    )
    for start_s in 15.3, 6.0, 0.0, 19.0:
        piece = sound_file.read_clip(path, rate_hz, start_s, 2.0, header)
        first = round(start_s * rate_hz)
        wanted = whole[first : first + 2 * rate_hz]
        np.testing.assert_allclose(piece.audio, wanted, atol=1e-4)
    assert len(decoded) < 7 * rate_hz / 400


@pytest.mark.parametrize("kind", [".avi", ".mka", ".ac3", ".wma"])
def test_where_times_do_not_tell_a_piece_is_decoded_from_the_start(
    tmp_path, kind
):
    path = containers.write(tmp_path / f"a{kind}", rich(10, 44100), 44100)
    header = sound_file.read_header(path)
    assert not header.can_seek
    whole = sound_file.read_clip(path, 44100, header=header).audio
    piece = sound_file.read_clip(path, 44100, 6.3, 2.0, header)
    first = round(6.3 * 44100)
    np.testing.assert_array_equal(piece.audio, whole[first : first + 88200])


def patched(path, *changes):
    """The file with bytes at places replaced."""
    data = bytearray(path.read_bytes())
    for place, new in changes:
        data[place : place + len(new)] = new
    path.write_bytes(data)
    return path


def test_odd_recordings_are_read_whole(tmp_path):
    """As streams, pipes and recorders that were cut off write them."""
    sound = rich(6, 44100)
    ogg = containers.write(tmp_path / "chained.ogg", sound, 44100)
    second = containers.write(tmp_path / "second.ogg", sound[::-1], 44100)
    ogg.write_bytes(ogg.read_bytes() + second.read_bytes())
    # Bytes 21 to 25 of FLAC: the low 4 bits of the first, and the others.
    flac = write(tmp_path / "pipe.flac", sound, 44100)
    patched(flac, (21, bytes([flac.read_bytes()[21] & 0xF0])), (22, bytes(4)))
    # MP3 whose bit rate changes, without a header that counts frames.
    quiet = containers.write(tmp_path / "1.mp3", sound, 44100)
    mp3 = containers.write(tmp_path / "2.mp3", sound, 44100, bit_rate=320_000)
    mp3.write_bytes(without_xing(quiet) + without_xing(mp3))
    aac = containers.write(tmp_path / "aac.mp3", sound, 44100, ".aac")
    for path, seconds in (ogg, 12), (flac, 6), (mp3, 12), (aac, 6):
        header = sound_file.read_header(path)
        assert header.seconds == pytest.approx(seconds, abs=0.1), path
        assert not header.cut_short
        clip = sound_file.read_clip(path, 16000, header=header)
        assert clip.audio.size == pytest.approx(16000 * seconds, abs=1600)
        assert np.abs(clip.audio[-3200:]).max() > 0.3


def without_xing(path):
    """The frames of an MP3, without its tag and the first, which counts."""
    data = path.read_bytes()
    sync = data[data.index(b"\xff\xfb") :][:2]
    frames = data[data.index(sync) :]
    return frames[frames.index(sync, 4) :]


@pytest.mark.parametrize(
    "size, more, is_told",
    [
        (0, b"", True),  # Never set.
        (2**32 - 1, b"", True),  # Of a pipe.
        (2**31 - 1 - 36, b"", True),
        (4096, b"", True),  # Set once and left.
        (192000, b"LIST\4\0\0\0abcd", False),  # What follows is no sound.
        (192000, b"ID3\4" + bytes(range(99)), False),
    ],
)
def test_a_wav_whose_size_is_wrong_is_read_to_the_end(
    tmp_path, size, more, is_told
):
    sound = tone(6) + 1e-3  # No part of it looks like a chunk.
    path = write(tmp_path / "a.wav", sound)
    patched(path, (40, size.to_bytes(4, "little")))
    path.write_bytes(path.read_bytes() + more)
    header = sound_file.read_header(path)
    assert (header.num_frames, header.by_file_length) == (96000, is_told)
    assert not header.cut_short
    for start_s in 0, 4.5:
        piece = sound_file.read_clip(path, 16000, start_s, 1.0, header)
        first = round(16000 * start_s)
        np.testing.assert_allclose(
            piece.audio, sound[first : first + 16000], atol=1e-4
        )


@pytest.mark.parametrize("is_rf64", [False, True])
def test_a_wav_beyond_4_gb_is_read_to_its_end(tmp_path, is_rf64):
    """The file has a hole: it takes no room."""
    path = write(tmp_path / "a.wav", np.zeros(0))
    head, sound = path.read_bytes()[:44], encoding.to_int16(tone())
    num_bytes = 5 * 2**30
    size = num_bytes % 2**32
    if is_rf64:
        sizes = [num_bytes + 72, num_bytes, num_bytes // 2]
        ds64 = b"".join(n.to_bytes(8, "little") for n in sizes) + bytes(4)
        chunk = b"ds64" + len(ds64).to_bytes(4, "little") + ds64
        head = b"RF64\xff\xff\xff\xffWAVE" + chunk + head[12:]
        size = 2**32 - 1
    head = head[:-4] + size.to_bytes(4, "little")
    with path.open("wb") as file:
        file.write(head)
        file.seek(len(head) + size % 2**31)
        file.write(sound.tobytes())  # Where the wrapped size ends.
        file.seek(len(head) + num_bytes - sound.nbytes)
        file.write(sound.tobytes())
    header = sound_file.read_header(path)
    assert header.num_frames == num_bytes // 2
    assert header.by_file_length != is_rf64
    piece = sound_file.read_clip(path, 16000, header.seconds - 1, 5.0, header)
    np.testing.assert_allclose(piece.audio, tone(), atol=1e-4)


@pytest.mark.parametrize("kind", ["a.wav", "a.aif"])
@pytest.mark.parametrize("full_scale", [1.0, 2.0**15, 2.0**23, 2.0**31])
def test_floats_on_the_scale_of_integers_are_scaled_to_1(
    tmp_path, kind, full_scale
):
    sound = tone(2.0)
    sound[:9000] *= 1e-3  # Not only its start is looked at.
    path = tmp_path / kind
    container = "AIFF" if kind == "a.aif" else "WAV"
    write(path, sound * full_scale, subtype="FLOAT", format=container)
    header = sound_file.read_header(path)
    assert header.full_scale == full_scale
    clip = sound_file.read_clip(path, 16000, 0.1, 1.5, header)
    np.testing.assert_allclose(clip.audio, sound[1600:25600], atol=1e-6)
    assert not clip.over_full_scale


@pytest.mark.parametrize(
    "samples, full_scale",
    [
        ([0.5, -2.5, 0.7, 30.0], 1),  # Loud.
        ([0.1] * 99 + [3e4], 1),  # A click.
        ([0.5, 1e30] * 9, 1),  # Damaged.
        ([0, 1, -1, 0], 1),
        ([0, 1, -2, 3], 2**15),  # Whole numbers: quiet, at 16 bits.
        ([3.5, -35.0, 20.2], 2**15),
    ],
)
def test_what_stands_for_full_scale(samples, full_scale):
    found = FullScale()
    for part in np.array_split(np.float32([*samples, np.nan]), 2):
        found.add(part)
    assert found.value == full_scale


def test_bad_packets_are_skipped_counted_and_leave_their_time(tmp_path):
    sound = rich(8, 44100)
    path = containers.write(tmp_path / "a.m4a", sound, 44100)
    whole = sound_file.read_clip(path, 44100).audio
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    middle = start + (len(data) - start) // 2
    data[middle : middle + 2000] = b"\xff" * 2000
    path.write_bytes(data)
    header = sound_file.read_header(path)
    clip = sound_file.read_clip(path, 44100, header=header)
    assert clip.skipped_packets > 0
    assert clip.damaged_s == pytest.approx(4, abs=0.5)
    told = f"damaged at {clip.damaged_s:.2f} s: {clip.skipped_packets} packets"
    assert clip.bad_packets.startswith(told)
    assert clip.audio.size == whole.size
    for part in slice(0, 100_000), slice(-100_000, None):
        np.testing.assert_allclose(clip.audio[part], whole[part], atol=1e-4)
    piece = sound_file.read_clip(path, 44100, 6.0, 2.0, header)
    assert (piece.skipped_packets, piece.bad_packets) == (0, "")
    np.testing.assert_allclose(
        piece.audio, whole[264600 : 264600 + 88200], atol=1e-4
    )


def test_video_without_sound_and_cut_off_mp4_are_told_apart(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), "u1"))
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    kind, reason = rejection(sound_file.read_header, path)
    assert kind == "no_sound" and "without sound" in reason
    containers.write(path, tone(2), 16000)
    data = path.read_bytes()
    path.write_bytes(data[:28] + data[data.index(b"mdat") - 4 :])
    kind, reason = rejection(sound_file.read_header, path)
    assert kind == "damaged" and "index is missing" in reason


def test_nothing_is_told_on_stderr(tmp_path, capfd):
    path = containers.write(tmp_path / "a.mp3", tone(2, 44100), 44100)
    patched(path, (3000, bytes(5000)))
    sound_file.read_clip(path, 16000)
    assert capfd.readouterr() == ("", "")
