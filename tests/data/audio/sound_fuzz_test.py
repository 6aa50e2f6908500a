"""Damaged recordings among intact ones, through whole jobs."""

import functools
import io
import pathlib
import tempfile

import numpy as np
import pytest
import soundfile

from data.audio import codec, encoding, sound_file
from data.ingest import clip_shards, header_scan, ingest_job
from data.jobs.decoder_pool import DecoderPool
from data.sources.recording_files import SOUND_SUFFIXES, suffix_of
from tests.data import containers
from tests.data.ingested import clips, rejects
from tests.data.jobs import bad_decoder
from tests.data.write_shards_test import config

RATE_HZ = 16000
# Suffix and sub-type, by libsndfile.
FORMATS = {
    "wav16": (".wav", "PCM_16"),
    "wav24": (".wav", "PCM_24"),
    "float": (".wav", "FLOAT"),
    "flac": (".flac", "PCM_16"),
    "ogg": (".ogg", "VORBIS"),
    "mp3": (".mp3", "MPEG_LAYER_III"),
}
# And by FFmpeg.
FORMATS |= {
    suffix[1:]: (suffix, "")
    for suffix in (
        *(".aac", ".ac3", ".aiff", ".amr", ".avi", ".caf", ".flv", ".m4a"),
        *(".m4b", ".mka", ".mov", ".mpg", ".oga", ".opus", ".rm", ".ts"),
        *(".tta", ".wave", ".webm", ".wma", ".wv"),
    )
}
ABSURD = (0, 1, 3, 255, 1025, 65535, 2**31 - 1, 2**31, 2**32 - 1)
# Where a WAV header has its channels, rate, bytes a second, block size, bits
# a sample and bytes of data.
WAV_FIELDS = ((22, 2), (24, 4), (28, 4), (32, 2), (34, 2), (40, 4))


@functools.cache
def sound(audio_format, number):
    """A file of noise, 0.25 to 0.5 s."""
    rng = np.random.default_rng(number)
    suffix, subtype = FORMATS[audio_format]
    audio = rng.uniform(-0.9, 0.9, rng.integers(4000, 8000))
    if subtype:
        stream = io.BytesIO()
        container = suffix[1:].upper()
        soundfile.write(stream, audio, RATE_HZ, subtype, format=container)
        return stream.getvalue()
    rate_hz = containers.RATES_HZ.get(suffix, 44100)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, f"a{suffix}")
        return containers.write(path, audio, rate_hz).read_bytes()


def truncated(rng, data):
    return data[: rng.integers(0, rng.choice([9, 128, len(data)]))]


def flipped_bits(rng, data):
    # In two thirds of the files of the header.
    stop = 128 if rng.random() < 2 / 3 else len(data)
    for place in rng.integers(0, stop, 2 ** rng.integers(0, 6)):
        data[place] ^= 1 << rng.integers(0, 8)
    return data


def absurd_numbers(rng, data):
    for _ in range(rng.integers(1, 4)):
        start, size = int(rng.integers(0, 128)), 2 ** int(rng.integers(0, 4))
        if rng.random() < 0.3:
            start, size = WAV_FIELDS[rng.integers(len(WAV_FIELDS))]
        number = int(rng.choice(ABSURD)) % 256**size
        order = str(rng.choice(["little", "big"]))
        data[start : start + size] = number.to_bytes(size, order)
    return data


def zeroed_block(rng, data):
    start, size = rng.integers(0, len(data)), rng.integers(1, 4096)
    data[start : start + size] = bytes(len(data[start : start + size]))
    return data


def two_files(rng, data):
    number = int(rng.integers(4))
    other = sound(str(rng.choice([*FORMATS])), number)
    return data[: rng.integers(0, len(data) + 1)] + other


DAMAGES = (truncated, flipped_bits, absurd_numbers, zeroed_block, two_files)


def damaged(seed):
    """File name and content of one case; the name tells what was done."""
    rng = np.random.default_rng(seed)
    audio_format = str(rng.choice([*FORMATS]))
    damage = DAMAGES[rng.integers(len(DAMAGES))]
    data = damage(rng, bytearray(sound(audio_format, int(rng.integers(4)))))
    name = f"{seed}-{audio_format}-{damage.__name__}"
    if rng.random() < 0.05:
        name += "ž" * 100  # 255 bytes is the longest that systems take.
    return name + FORMATS[audio_format][0], bytes(data)


@pytest.fixture(autouse=True)
def in_other_processes(monkeypatch):
    monkeypatch.setattr(ingest_job, "DecoderPool", DecoderPool)


def options(tmp_path, **more):
    return config(
        tmp_path,
        workers=2,
        silence_db=-200.0,
        min_seconds=0.01,
        max_bad_fraction=1.0,
        eval_fraction=0.0,
        **more,
    )


def write_intact(folder):
    """Makes the folder; file name → what a shard should hold of it."""
    folder.mkdir()
    expected = {}
    for audio_format, (suffix, subtype) in FORMATS.items():
        for number in range(100, 105 if subtype else 101):
            data = sound(audio_format, number)
            name = f"intact {number} {audio_format}{suffix}"
            (folder / name).write_bytes(data)
            if subtype:
                # Not `soundfile.read`: it seeks, after which MP3 rounds
                # otherwise.
                with soundfile.SoundFile(io.BytesIO(data)) as file:
                    audio = file.read(dtype="float32")
                assert 4000 <= audio.size < 8000
            else:
                audio = sound_file.read_clip(folder / name, RATE_HZ).audio
            encoded = encoding.encode(audio, "pcm16", RATE_HZ)
            expected[name] = codec.decode(encoded, "pcm16").numpy()
    return expected


def assert_intact_are_exact(info, expected):
    found = clips(info)
    for name, audio in expected.items():
        # Two decoders of MP3 may round differently.
        atol = 1 / 32768 if name.endswith("mp3") else 0
        np.testing.assert_allclose(
            found[name][0], audio, rtol=0, atol=atol, err_msg=name
        )


@pytest.mark.parametrize(
    "cases", [120, pytest.param(2000, marks=pytest.mark.long)]
)
def test_damaged_files_are_read_or_listed_and_intact_ones_exact(
    tmp_path, cases
):
    folder = tmp_path / "in"
    expected = write_intact(folder)
    names = set(expected)
    for seed in range(cases):
        name, data = damaged(seed)
        (folder / name).write_bytes(data)
        names.add(name)
    assert len(names) == cases + len(expected)
    info = ingest_job.run(options(tmp_path))
    assert_intact_are_exact(info, expected)

    refused = rejects(tmp_path)
    read = {clip_id.split("#")[0] for clip_id in clips(info)}
    # What is damaged from its start on, and not called like a sound.
    others = {n for n in names - read if suffix_of(n) not in SOUND_SUFFIXES}
    others -= refused.keys()
    assert others | read | refused.keys() >= names
    assert sum(info.summary["other_files"].values()) == len(others)
    kinds = info.summary["rejects"]
    assert kinds.keys() <= {
        *("crashed", "damaged", "empty", "no_sound", "non_finite"),
        *("not_audio", "silent", "too_short", "unsupported"),
    }
    assert info.summary["in_part"].keys() <= {"bad_packets", "cut_short"}
    # A header that lies of its length makes no flood of clips.
    assert sum(kinds.values()) < cases
    # Both happen often, so that both are tested.
    damaged_but_read = len(read) - len(expected)
    assert 0.2 * cases < damaged_but_read < 0.9 * cases
    for audio, _ in clips(info).values():
        assert 1 <= audio.size <= 160000


def test_decoders_that_crash_or_hang_cost_their_file_alone(
    tmp_path, monkeypatch
):
    folder = tmp_path / "in"
    expected = write_intact(folder)
    for what in ("crashes", "hangs"):
        for where in ("header", "clip"):
            file = folder / f"{what} in {where}.wav"
            file.write_bytes(sound("wav16", 0))
    monkeypatch.setattr(header_scan, "read_header", bad_decoder.read_header)
    monkeypatch.setattr(clip_shards, "ClipReader", bad_decoder.ClipReader)
    # Long enough for real files on a busy machine.
    info = ingest_job.run(options(tmp_path, item_timeout_seconds=3.0))
    assert_intact_are_exact(info, expected)
    found = {name: kind for name, (kind, _) in rejects(tmp_path).items()}
    assert found == {
        "crashes in clip.wav": "crashed",
        "crashes in header.wav": "crashed",
        "hangs in clip.wav": "timed_out",
        "hangs in header.wav": "timed_out",
    }
    assert len(clips(info)) == len(expected)
    assert not list((tmp_path / "out").glob(".writing-*"))
