"""Whole programs, from the start of a process on."""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import soundfile

from tests import ROOT
from tests.bench.work import Work

RATE_HZ = 16000


def ingest(recordings: int, seconds: float) -> Work:
    """WAV files, 44.1 kHz stereo, to shards at 16 kHz."""
    folder = pathlib.Path(_lasting_folder(), "recordings")
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(recordings):
        audio = random.normal(0, 0.1, (round(seconds * 44100), 2))
        soundfile.write(folder / f"{number:05}.wav", audio, 44100)

    def write_shards(output: str) -> None:
        command = [sys.executable, "data/write_shards.py", "--source=folder"]
        command += [f"--input={folder}", f"--output={output}"]
        command += ["--eval_fraction=0", f"--clip_seconds={seconds}"]
        _run(command)

    def turn():
        with tempfile.TemporaryDirectory() as output:
            write_shards(output)

    with tempfile.TemporaryDirectory() as output:
        write_shards(output)
        answer = {"audio": _audio_of(pathlib.Path(output))}
    return Work(turn, answer, {"folder": np.array(str(folder))})


def first_step(trainer: str, flags: list[str]) -> Work:
    """From the start of a trainer to the end of its first step.

    On two shards of noise with two channels.
    """
    from tests.train.small_shards import noise_clips, write_shards

    folder = pathlib.Path(_lasting_folder())
    clips = noise_clips(8, 10 * RATE_HZ)
    halves = [np.stack([0.5 * clip] * 2) for clip in clips]
    write_shards(folder / "shards", clips, {"S2": halves})

    def turn():
        with tempfile.TemporaryDirectory() as output:
            command = [sys.executable, "-m", "tests.bench.ours.first_step"]
            command += [trainer, f"--shards={folder / 'shards'}"]
            command += [f"--output={output}/run", *flags]
            _run(command)

    return Work(turn, answer={})


def embed(clips: int) -> Work:
    """Shards of clips of 1 s, by an encoder of width 1/8."""
    from tests.evaluate.toy_runs import (
        balanced_clips,
        write_toy_run,
        write_toy_shards,
    )

    folder = pathlib.Path(_lasting_folder())
    write_toy_shards(folder / "shards", {"train": balanced_clips(clips)})
    write_toy_run(folder / "run", folder / "shards", width=0.125)

    def turn():
        with tempfile.TemporaryDirectory() as output:
            command = [sys.executable, "evaluate/embed.py"]
            command += [f"--encoder={folder / 'run'}"]
            command += [f"--output={output}/embeddings"]
            _run(command)

    return Work(turn, answer={})


def _run(command: list[str]) -> None:
    """Raises RuntimeError with what it says where it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")


def _audio_of(shards: pathlib.Path) -> np.ndarray:
    """(clips, T), by name of the recording."""
    from data.audio import codec
    from data.shards import example_schema
    from data.shards.dataset_info import DatasetInfo
    from data.shards.record_check import parse_checked
    from data.shards.record_index import RecordIndex
    from data.shards.record_reader import examples_in_order

    info = DatasetInfo.load(shards)

    def to_clip(record):
        clip = parse_checked(record, info)
        return clip[example_schema.CLIP_ID], codec.decode(
            clip[example_schema.AUDIO], info.audio_format
        )

    index = RecordIndex.of(info, [*info.splits])
    clips = examples_in_order(index, to_clip, list)
    return np.stack([audio for _, audio in sorted(clips, key=lambda c: c[0])])


def _lasting_folder() -> str:
    """Is there until this process ends."""
    _FOLDERS.append(tempfile.TemporaryDirectory())
    return _FOLDERS[-1].name


_FOLDERS = []
