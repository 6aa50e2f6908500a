"""Shards of items that are read in other processes, some of them traps."""

import dataclasses
import functools
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from data.jobs.decoder_pool import DecoderPool
from data.jobs.decoding_jobs import DecodingJobs
from data.run.errors import UserError
from data.run.rejects import Rejected
from tests.data.jobs import decoder_pool_test
from tests.data.jobs.decoder_pool_test import sprung
from tests.data.jobs.shard_jobs_test import ROOT, files


@dataclasses.dataclass(frozen=True)
class TrapTask:
    """Numbers to write; what they do when read, see `decoder_pool_test`."""

    shard: str
    numbers: tuple[int, ...]
    notes: pathlib.Path
    crash: tuple[int, ...] = ()
    hang: tuple[int, ...] = ()
    crashes: int = 99

    @property
    def num_items(self):
        return len(self.numbers)

    def items(self):
        return decoder_pool_test.items(
            self.notes.parent,
            self.numbers,
            crash=self.crash,
            hang=self.hang,
            crashes=self.crashes,
        )


def write_numbers(task, path, results):
    rejects = []
    with path.open("w") as stream:
        for number, result in zip(task.numbers, results, strict=True):
            if isinstance(result, Rejected):
                rejects.append([number, result.kind, result.reason])
            else:
                stream.write(f"{result}\n")
    return {"rejects": rejects}


def write_slowly(task, path, results):
    time.sleep(0.15)
    return write_numbers(task, path, results)


def tasks(folder, count=3, **traps):
    return [
        TrapTask(
            f"{k}.txt",
            tuple(range(7 * k, 7 * k + 7)),
            folder / "notes",
            **traps,
        )
        for k in range(count)
    ]


def run(folder, todo, write=write_numbers, timeout_s=60.0, runner=None):
    with DecoderPool(2, timeout_s) as pool:
        jobs = DecodingJobs(pool, runner)
        return jobs.run("job", write, todo, folder / "out")


def test_items_that_crash_are_left_out_and_the_rest_kept(tmp_path, capsys):
    accounts = run(tmp_path, tasks(tmp_path, crash=(0, 8, 13)))
    reason = (
        "reading it ended its process twice (SIGSEGV): convert it with "
        "another program, or take it away"
    )
    assert [account["rejects"] for account in accounts] == [
        [[0, "crashed", reason]],
        [[8, "crashed", reason], [13, "crashed", reason]],
        [],
    ]
    written = (tmp_path / "out" / "1.txt").read_text().split()
    assert written == ["7", "9", "10", "11", "12"]
    assert sprung(tmp_path / "notes") == [0, 0, 8, 8, 13, 13]
    assert "job: 21/21 clips" in capsys.readouterr().err


def test_what_is_lost_is_remembered_by_reruns(tmp_path):
    todo = tasks(tmp_path, crash=(8, 13))
    accounts = run(tmp_path, todo)
    whole = files(tmp_path / "out")
    lost = json.loads(whole["accounts/1.txt.json"])["lost"]
    assert {item: kind for item, (kind, _) in lost.items()} == {
        "number 13": "crashed",
        "number 8": "crashed",
    }
    assert "lost" not in json.loads(whole["accounts/0.txt.json"])
    (tmp_path / "out" / "1.txt").unlink()
    (tmp_path / "notes").unlink()
    assert run(tmp_path, todo) == accounts
    assert files(tmp_path / "out") == whole
    assert not (tmp_path / "notes").exists()


def test_it_is_remembered_too_where_the_job_was_interrupted(tmp_path):
    def interrupt(task, path, results):
        account = write_numbers(task, path, results)
        if task.shard == "1.txt":
            raise UserError("interrupted")
        return account

    todo = tasks(tmp_path, 2, crash=(8,))
    with pytest.raises(UserError, match="interrupted"):
        run(tmp_path, todo, interrupt)
    assert not (tmp_path / "out" / "1.txt").exists()
    (tmp_path / "notes").unlink()
    run(tmp_path, todo)
    interrupted = files(tmp_path / "out")
    assert not (tmp_path / "notes").exists()
    assert interrupted["1.txt"] == b"7\n9\n10\n11\n12\n13\n"


def test_changed_tasks_try_their_items_anew(tmp_path):
    run(tmp_path, tasks(tmp_path, 2, crash=(8,)))
    run(tmp_path, tasks(tmp_path, 2, crash=(8,), crashes=2))
    assert (tmp_path / "out" / "1.txt").read_text().split()[1] == "8"
    assert b"lost" not in files(tmp_path / "out")["accounts/1.txt.json"]


def meet(number, others, folder):
    """Reads a number while all of the others are being read."""
    (folder / f"{number} is here").touch()
    deadline = time.monotonic() + 60
    while not all((folder / f"{k} is here").exists() for k in others):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return number


class MeetingTask(TrapTask):
    def items(self):
        for number in self.numbers:
            yield (
                f"number {number}",
                functools.partial(meet, number, (0, 1), self.notes.parent),
            )


def test_shards_of_one_item_keep_all_processes_busy(tmp_path):
    todo = [MeetingTask(f"{k}.txt", (k,), tmp_path / "notes") for k in (0, 1)]
    run(tmp_path, todo)
    assert files(tmp_path / "out")["1.txt"] == b"1\n"


SLOW_JOB = """
import pathlib, sys
from tests.data.jobs.decoding_jobs_test import run, tasks, write_slowly

if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    run(folder, tasks(folder, 8), write_slowly)
"""


def test_killed_at_any_moment_and_rerun_equals_uninterrupted(tmp_path):
    (tmp_path / "job.py").write_text(SLOW_JOB)
    out = tmp_path / "out"
    for enough in (1, 4):  # Shards at which the whole group is killed.
        process = subprocess.Popen(
            [sys.executable, str(tmp_path / "job.py"), str(tmp_path)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        while len(list(out.glob("*.txt"))) < enough:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert len(list(out.glob("*.txt"))) < 8
    run(tmp_path, tasks(tmp_path, 8))
    killed = files(out)
    for name in killed:
        (out / name).unlink()
    run(tmp_path, tasks(tmp_path, 8))
    assert files(out) == killed
    json.loads(killed["accounts/7.txt.json"])
