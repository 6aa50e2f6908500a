"""Damaged recordings among intact ones, through whole jobs."""

import csv
import io

import numpy as np
import pytest
import soundfile

from data.audio import codec, encoding
from data.ingest import clip_shards, header_scan, ingest_job
from data.jobs.decoder_pool import DecoderPool
from tests.data.audio.corrupted_audio import FORMATS, RATE_HZ, damaged, sound
from tests.data.ingested import clips
from tests.data.jobs import bad_decoder
from tests.data.write_shards_test import config, contents


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
    """File name → what a shard should hold of it."""
    expected = {}
    for audio_format, (suffix, *_) in FORMATS.items():
        for number in range(100, 105):
            data = sound(audio_format, number)
            name = f"intact {number} {audio_format}{suffix}"
            (folder / name).write_bytes(data)
            # Not `soundfile.read`: it seeks, after which MP3 rounds otherwise.
            with soundfile.SoundFile(io.BytesIO(data)) as file:
                audio = file.read(dtype="float32")
            assert 4000 <= audio.size < 8000
            encoded = encoding.encode(audio, "pcm16", RATE_HZ)
            expected[name] = codec.decode(encoded, "pcm16").numpy()
    return expected


def read_rejects(info):
    with (info.folder / "rejects.csv").open(encoding="utf-8") as stream:
        return [tuple(row.values()) for row in csv.DictReader(stream)]


def assert_intact_are_exact(info, expected):
    found = clips(info)
    for name, audio in expected.items():
        np.testing.assert_array_equal(found[name][0], audio, err_msg=name)


@pytest.mark.parametrize(
    "cases", [200, pytest.param(10000, marks=pytest.mark.long)]
)
def test_damaged_files_are_read_or_listed_and_intact_ones_exact(
    tmp_path, cases
):
    folder = tmp_path / "in"
    folder.mkdir()
    expected = write_intact(folder)
    names = set(expected)
    for seed in range(cases):
        name, data = damaged(seed)
        (folder / name).write_bytes(data)
        names.add(name)
    assert len(names) == cases + len(expected)
    info = ingest_job.run(options(tmp_path))
    assert_intact_are_exact(info, expected)

    rejects = read_rejects(info)
    read = {clip_id.split("#")[0] for clip_id in clips(info)}
    assert read | {name for name, _, _ in rejects} == names
    kinds = info.summary["rejects"]
    assert sum(kinds.values()) == len(rejects)
    assert kinds.keys() <= {
        *("crashed", "damaged", "empty", "non_finite", "not_audio"),
        *("silent", "too_short", "undecodable"),
    }
    assert all(reason for _, _, reason in rejects)
    # A header that lies of its length makes no flood of clips.
    assert len(rejects) < cases
    # Both happen often, so that both are tested.
    damaged_but_read = len(read) - len(expected)
    assert 0.2 * cases < damaged_but_read < 0.6 * cases
    for audio, _ in clips(info).values():
        assert 1 <= audio.size <= 160000
    print(f"{len(names)} files, {damaged_but_read} damaged read, {kinds}")


def test_decoders_that_crash_or_hang_cost_their_file_alone(
    tmp_path, monkeypatch
):
    folder = tmp_path / "in"
    folder.mkdir()
    expected = write_intact(folder)
    for name in (
        "crashes in header",
        "crashes in clip",
        "hangs in header",
        "hangs in clip",
    ):
        (folder / f"{name}.wav").write_bytes(sound("wav16", 0))
    monkeypatch.setattr(clip_shards, "read_clip", bad_decoder.read_clip)
    monkeypatch.setattr(header_scan, "read_seconds", bad_decoder.read_seconds)
    # Long enough for real files on a busy machine.
    job = options(tmp_path, clips_per_shard=12, item_timeout_seconds=3.0)
    info = ingest_job.run(job)
    assert_intact_are_exact(info, expected)
    assert {name: kind for name, kind, _ in read_rejects(info)} == {
        "crashes in clip.wav": "crashed",
        "crashes in header.wav": "crashed",
        "hangs in clip.wav": "timed_out",
        "hangs in header.wav": "timed_out",
    }
    assert info.summary["rejects"] == {"crashed": 2, "timed_out": 2}
    assert sum(info.summary["clips"].values()) == len(expected)
    assert not list((tmp_path / "out").glob(".writing-*"))

    # What a shard lost is not tried again, and its bytes are the same.
    before = contents(tmp_path / "out")
    monkeypatch.setattr(
        clip_shards, "read_clip", bad_decoder.refuse_to_read_any_trap
    )
    for shard in info.splits["train"]:
        (info.folder / shard.file).unlink()
    ingest_job.run(job)
    assert contents(tmp_path / "out") == before
