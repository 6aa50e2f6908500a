"""Looks into all recordings, as a job: planning needs lengths and digests.

In other processes, since a damaged file can take a decoder down.
"""

import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Iterator, Sequence

from data.audio import sound_file
from data.audio.audio_header import AudioHeader
from data.jobs.decoder_pool import Item
from data.jobs.decoding_jobs import DecodingJobs
from data.run.atomic_write import write_json
from data.run.rejects import Reject, Rejected
from data.sources.recording_files import Recording

_FILES_A_TASK = 2000
# Of files that nobody took for sound: what they are.
_OTHER_KINDS = {"not_audio", "no_sound", "not_a_file", "empty", "damaged"}


@dataclasses.dataclass(frozen=True)
class ScanTask:
    """Some recordings, and the file that takes what is found."""

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
            read = functools.partial(read_header, path, self.min_seconds)
            yield recording.name, read


def scan(
    folder: str,
    recordings: Sequence[Recording],
    min_seconds: float,
    output: pathlib.Path,
    jobs: DecodingJobs,
) -> tuple[list[Recording], list[Reject], list[str]]:
    """Splits what may be recordings into those that are, and the others.

    Shorter ones than `min_seconds` are refused, too. All are read anew, since
    only their content tells whether they changed; the folder `output` is for
    the files of this job alone.

    Returns:
      The good ones, with `header` and `digest`; the rejects; the names of
      files that are none, nor are called like some, nor named by a table.
    """
    shutil.rmtree(output, ignore_errors=True)
    tasks = [
        ScanTask(
            f"headers-{start // _FILES_A_TASK:05d}.json",
            os.path.abspath(folder),
            tuple(recordings[start : start + _FILES_A_TASK]),
            min_seconds,
        )
        for start in range(0, len(recordings), _FILES_A_TASK)
    ]
    jobs.run("recordings", write_headers, tasks, output, unit="files")
    good, rejects, others = [], [], []
    for task in tasks:
        results = json.loads((output / task.shard).read_text(encoding="utf-8"))
        for recording, result in zip(task.recordings, results, strict=True):
            if "digest" in result:
                header = AudioHeader(**result["header"])
                digest = result["digest"]
                good.append(
                    dataclasses.replace(recording, header=header, digest=digest)
                )
                continue
            is_meant = recording.is_named or recording.is_like_sound
            if not is_meant and result["kind"] in _OTHER_KINDS:
                others.append(recording.name)
            else:
                rejects.append(
                    (recording.name, result["kind"], result["reason"])
                )
    return good, rejects, others


def read_header(path: str, min_seconds: float) -> tuple[AudioHeader, str]:
    """What a recording holds, and the SHA-256 of the file.

    Raises:
      AudioRejected: it cannot be used.
    """
    header = sound_file.read_header(path)
    sound_file.check_length(header.seconds, min_seconds)
    with open(path, "rb") as file:
        return header, hashlib.file_digest(file, "sha256").hexdigest()


def write_headers(
    task: ScanTask,
    path: pathlib.Path,
    found: Iterator[tuple[AudioHeader, str] | Rejected],
) -> dict:
    """Writes what was found, or kind and reason, of each recording."""
    results = []
    for result in found:
        if isinstance(result, Rejected):
            results.append({"kind": result.kind, "reason": result.reason})
            continue
        header, digest = result
        results.append({"header": dataclasses.asdict(header), "digest": digest})
    write_json(path, results)
    return {}
