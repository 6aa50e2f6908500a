"""Reads the headers of all recordings, as a job: planning needs lengths.

In other processes too, since a damaged header can take a decoder down.
"""

import dataclasses
import functools
import json
import os
import pathlib
from collections.abc import Iterator, Sequence

from data.audio import sound_file
from data.jobs.decoder_pool import Item
from data.jobs.decoding_jobs import DecodingJobs
from data.run import content
from data.run.atomic_write import write_json
from data.run.rejects import Reject, Rejected
from data.sources.recording_files import Recording

_FILES_A_TASK = 2000


@dataclasses.dataclass(frozen=True)
class ScanTask:
    """Some recordings, and the file that takes their lengths."""

    shard: str
    folder: str
    recordings: tuple[Recording, ...]
    min_seconds: float

    @property
    def num_items(self) -> int:
        return len(self.recordings)

    def items(self) -> Iterator[Item]:
        for recording in self.recordings:
            path = os.path.join(self.folder, recording.path)
            read = functools.partial(read_seconds, path, self.min_seconds)
            yield recording.name, read


def scan(
    folder: str,
    recordings: Sequence[Recording],
    min_seconds: float,
    output: pathlib.Path,
    jobs: DecodingJobs,
) -> tuple[list[tuple[Recording, float]], list[Reject]]:
    """Splits recordings into those with a length and those refused.

    Shorter ones than `min_seconds` are refused, too. The folder `output` keeps
    what a killed run has read.

    Returns:
      (recording, seconds) of the good ones, and the rejects.
    """
    tasks = [
        ScanTask(
            f"headers-{start // _FILES_A_TASK:05d}.json",
            os.path.abspath(folder),
            tuple(recordings[start : start + _FILES_A_TASK]),
            min_seconds,
        )
        for start in range(0, len(recordings), _FILES_A_TASK)
    ]

    def run():
        return jobs.run("headers", write_headers, tasks, output, unit="files")

    for account in run():
        if content.file_sha256(output / account["shard"]) != account["sha256"]:
            (output / account["shard"]).unlink()
            run()
    good, rejects = [], []
    for task in tasks:
        results = json.loads((output / task.shard).read_text(encoding="utf-8"))
        for recording, result in zip(task.recordings, results, strict=True):
            if isinstance(result, list):
                rejects.append((recording.name, *result))
            else:
                good.append((recording, result))
    return good, rejects


def read_seconds(path: str, min_seconds: float) -> float:
    """Length of a recording.

    Raises:
      AudioRejected: it cannot be used.
    """
    header = sound_file.read_header(path)
    sound_file.check_length(header.seconds, min_seconds)
    return header.seconds


def write_headers(
    task: ScanTask, path: pathlib.Path, lengths: Iterator[float | Rejected]
) -> dict:
    """Writes seconds, or [kind, reason], of each recording of the task."""
    results = [
        [length.kind, length.reason] if isinstance(length, Rejected) else length
        for length in lengths
    ]
    write_json(path, results)
    return {}
