"""Reads the headers of all recordings, as a job: planning needs lengths.

In worker processes too, since a damaged header can take a decoder down.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Sequence

from data import audio_file, shard_jobs
from data.job_runner import Runner
from data.recording_files import Recording
from data.rejects import Reject, Rejected
from data.worker_pool import Report

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


def scan(
    folder: str,
    recordings: Sequence[Recording],
    min_seconds: float,
    output: pathlib.Path,
    runner: Runner,
    item_timeout_s: float | None = None,
) -> tuple[list[tuple[Recording, float]], list[Reject]]:
    """Splits recordings into those with a length and those refused.

    Args:
      folder: where the recordings are.
      recordings: as from `ingest_plan.find_recordings`.
      min_seconds: shorter ones are refused.
      output: folder for what the job keeps of a killed run.
      runner, item_timeout_s: as in `shard_jobs.run`.

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
    shard_jobs.run(
        "headers",
        scan_headers,
        tasks,
        output,
        runner,
        "files",
        item_timeout_s=item_timeout_s,
    )
    good, rejects = [], []
    for task in tasks:
        results = json.loads((output / task.shard).read_text(encoding="utf-8"))
        for recording, result in zip(task.recordings, results, strict=True):
            if isinstance(result, list):
                rejects.append((recording.name, *result))
            else:
                good.append((recording, result))
    return good, rejects


def scan_headers(task: ScanTask, path: pathlib.Path, report: Report) -> dict:
    """Writes seconds, or [kind, reason], of each recording of the task."""
    results: list[float | list[str]] = []
    for recording in task.recordings:
        try:
            report(recording.name)
            header = audio_file.read_header(
                os.path.join(task.folder, recording.path)
            )
            audio_file.check_length(header.seconds, task.min_seconds)
            results.append(header.seconds)
        except Rejected as rejected:
            results.append([rejected.kind, rejected.reason])
    path.write_text(json.dumps(results), encoding="utf-8")
    return {}
