"""Items that crash or hang are given up; the rest of the job goes on."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from data import shard_jobs, worker_pool
from data.rejects import Rejected
from data.user_error import UserError
from data.worker_pool import WorkerPool

ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class TrapTask:
    """Numbers to write, some of which end or stop the process.

    Attributes:
      shard: the file.
      numbers: to write to it.
      notes: each trap sprung adds its number to this file.
      crash: numbers that end the process.
      hang: numbers that take forever.
      crashes: how often each of `crash` does so.
      how: the signal that does it.
    """

    shard: str
    numbers: tuple[int, ...]
    notes: pathlib.Path
    crash: tuple[int, ...] = ()
    hang: tuple[int, ...] = ()
    crashes: int = 99
    how: int = signal.SIGSEGV

    @property
    def num_items(self):
        return len(self.numbers)


def write_numbers(task, path, report):
    rejects = []
    with path.open("w") as stream:
        for number in task.numbers:
            try:
                report(f"number {number}")
                spring(task, number)
            except Rejected as rejected:
                rejects.append([number, rejected.kind, rejected.reason])
            else:
                stream.write(f"{number}\n")
                stream.flush()
    return {"rejects": rejects}


def spring(task, number):
    if number not in task.crash + task.hang:
        return
    with task.notes.open("a") as notes:
        notes.write(f"{number}\n")
    if number in task.hang:
        time.sleep(1000)
    if sprung(task.notes).count(number) <= task.crashes:
        os.kill(os.getpid(), task.how)


def exit_at_start(task, path, report):
    os._exit(7)


def note_oom_score(task, path, report):
    path.touch()
    score = pathlib.Path("/proc/self/oom_score_adj").read_text()
    return {"oom_score_adj": int(score)}


def sprung(notes):
    return sorted(int(number) for number in notes.read_text().split())


def tasks(tmp_path, count=3, **traps):
    return [
        TrapTask(
            f"{k}.txt",
            tuple(range(7 * k, 7 * k + 7)),
            tmp_path / "notes",
            **traps,
        )
        for k in range(count)
    ]


def run(tmp_path, todo, function=write_numbers, timeout_s=60.0, **options):
    return shard_jobs.run(
        "job",
        function,
        todo,
        tmp_path / "out",
        WorkerPool(2),
        item_timeout_s=timeout_s,
        **options,
    )


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


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
    # A task that is run again is not counted again.
    assert "job: 21/21 clips" in capsys.readouterr().err


def test_what_is_lost_is_remembered_by_reruns(tmp_path):
    todo = tasks(tmp_path, crash=(8, 13))
    accounts = run(tmp_path, todo)
    whole = contents(tmp_path / "out")
    items = json.loads(whole["accounts/1.txt.lost"])["items"]
    assert list(items) == ["number 13", "number 8"]
    (tmp_path / "out" / "1.txt").unlink()
    (tmp_path / "notes").unlink()
    assert run(tmp_path, todo) == accounts
    assert contents(tmp_path / "out") == whole
    assert not (tmp_path / "notes").exists()


def test_changed_tasks_try_their_items_anew(tmp_path):
    run(tmp_path, tasks(tmp_path, 2, crash=(8,)))
    run(tmp_path, tasks(tmp_path, 2, crash=(8,), crashes=2))
    assert (tmp_path / "out" / "1.txt").read_text().split()[1] == "8"
    assert not list((tmp_path / "out").rglob("*.lost"))


@pytest.mark.parametrize("how", [signal.SIGABRT, signal.SIGKILL])
def test_one_crash_may_be_an_accident(tmp_path, how):
    accounts = run(tmp_path, tasks(tmp_path, 2, crash=(8,), crashes=1, how=how))
    assert [account["rejects"] for account in accounts] == [[], []]
    assert (tmp_path / "out" / "1.txt").read_text().split()[1] == "8"
    assert sprung(tmp_path / "notes") == [8, 8]


def test_want_of_memory_is_guessed(tmp_path):
    *_, account = run(tmp_path, tasks(tmp_path, 1, crash=(3,), how=9))
    assert "(SIGKILL, out of memory?)" in account["rejects"][0][2]


def test_want_of_memory_takes_a_worker_before_the_job(tmp_path):
    [account] = run(tmp_path, tasks(tmp_path, 1), note_oom_score)
    mine = pathlib.Path("/proc/self/oom_score_adj").read_text()
    assert account == account | {"oom_score_adj": 500} and int(mine) < 500


def test_items_that_hang_are_left_out_at_the_first_time(tmp_path):
    accounts = run(tmp_path, tasks(tmp_path, hang=(7, 9)), timeout_s=1.5)
    assert [len(account["rejects"]) for account in accounts] == [0, 2, 0]
    for number, kind, reason in accounts[1]["rejects"]:
        assert number in (7, 9) and kind == "timed_out"
        assert reason.startswith(
            "reading it took longer than --item_timeout_seconds=1.5: raise"
        )
    assert sprung(tmp_path / "notes") == [7, 9]


def test_a_worker_ended_by_somebody_ends_the_job(tmp_path):
    with pytest.raises(UserError, match=r"SIGTERM\) in shard 1.txt, at numb"):
        run(tmp_path, tasks(tmp_path, crash=(8,), how=signal.SIGTERM))
    assert not list((tmp_path / "out").rglob("*.lost"))
    assert not list((tmp_path / "out").glob(".writing-*"))


def test_a_crash_before_any_item_ends_the_job(tmp_path):
    with pytest.raises(UserError, match=r"died \(exit code 7\) in shard .\.tx"):
        run(tmp_path, tasks(tmp_path), exit_at_start)


def test_a_shard_that_crashes_on_and_on_ends_the_job(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_pool, "_MIN_DEATHS", 4)
    [task] = tasks(tmp_path, 1, crash=(1, 2, 3, 4, 5, 6))
    with pytest.raises(UserError, match="in shard 0.txt, at number 3: take"):
        run(tmp_path, [task])
    assert sprung(tmp_path / "notes") == [1, 1, 2, 2, 3]
    # A rerun goes on from there.
    with pytest.raises(UserError, match="at number 5"):
        run(tmp_path, [task])


def test_without_a_timeout_a_crash_ends_the_job(tmp_path):
    with pytest.raises(UserError, match="SIGSEGV.*at number 8: take that file"):
        run(tmp_path, tasks(tmp_path, crash=(8,)), timeout_s=None)
    assert sprung(tmp_path / "notes") == [8]


HANGING_JOB = """
import pathlib, sys
from tests.data.worker_pool_test import run, tasks

if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    run(folder, tasks(folder, hang=(0, 7)))
"""


def test_workers_that_hang_end_with_their_parent(tmp_path):
    script = tmp_path / "job.py"
    script.write_text(HANGING_JOB)
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    notes = tmp_path / "notes"
    while not notes.exists() or sprung(notes) != [0, 7]:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)],
        capture_output=True,
        text=True,
    ).stdout.split()
    assert len(children) == 3  # Two workers and Python's resource tracker.
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    while any(pathlib.Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.02)
