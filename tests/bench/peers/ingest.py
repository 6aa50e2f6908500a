"""Recordings to mono WAV files at 16 kHz: soundfile and soxr in a pool.

python -m tests.bench.peers.ingest INPUT OUTPUT
"""

import functools
import multiprocessing
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import soundfile
import soxr

from tests.bench.work import Work


def convert(output: pathlib.Path, path: pathlib.Path) -> None:
    audio, rate_hz = soundfile.read(path, dtype="float32")
    mono = soxr.resample(audio.mean(1), rate_hz, 16000)
    soundfile.write(output / path.name, mono, 16000, subtype="PCM_16")


def main() -> None:
    source, output = map(pathlib.Path, sys.argv[1:])
    with multiprocessing.Pool() as pool:
        paths = sorted(source.iterdir())
        pool.map(functools.partial(convert, output), paths)


def ingest(given: dict, recordings: int, seconds: float) -> Work:
    """The whole process."""

    def run(output: str) -> None:
        command = [sys.executable, "-m", __name__, str(given["folder"]), output]
        subprocess.run(command, check=True)

    def turn():
        with tempfile.TemporaryDirectory() as output:
            run(output)

    with tempfile.TemporaryDirectory() as output:
        run(output)
        files = sorted(pathlib.Path(output).iterdir())
        audio = [soundfile.read(file, dtype="float32")[0] for file in files]
    return Work(turn, {"audio": np.stack(audio)})


if __name__ == "__main__":
    main()
