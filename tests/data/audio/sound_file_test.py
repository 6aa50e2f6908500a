import os
import re

import numpy as np
import pytest

from data.audio import sound_file
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
