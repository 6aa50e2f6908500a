import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from data import shard_jobs
from data.job_runner import InProcess
from data.user_error import UserError
from data.worker_pool import WorkerPool

ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class CountTask:
    shard: str
    numbers: tuple[int, ...]

    @property
    def num_items(self):
        return len(self.numbers)


def tasks(count=5):
    return [CountTask(f"{k}.txt", (10 * k, 10 * k + 1)) for k in range(count)]


def write_numbers(task, path, report):
    with path.open("w") as stream:
        for number in task.numbers:
            report(f"number {number}")
            stream.write(f"{number}\n")
    return {"sum": sum(task.numbers)}


def write_slowly(task, path, report):
    account = write_numbers(task, path, report)
    time.sleep(0.15)
    return account


def fail_at_20(task, path, report):
    if 20 in task.numbers:
        path.write_text("half")
        raise UserError("twenty is bad")
    return write_numbers(task, path, report)


def die_at_20(task, path, report):
    account = write_numbers(task, path, report)
    if 20 in task.numbers:
        report("number 20")
        path.write_text("half")
        os.kill(os.getpid(), signal.SIGSEGV)
    return account


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(params=["in process", "pool"])
def runner(request):
    return InProcess() if request.param == "in process" else WorkerPool(2)


def test_accounts_come_in_the_order_of_the_tasks(tmp_path, runner):
    accounts = shard_jobs.run("job", write_numbers, tasks(), tmp_path, runner)
    assert [a["shard"] for a in accounts] == [t.shard for t in tasks()]
    assert [a["sum"] for a in accounts] == [1, 21, 41, 61, 81]
    assert [a["num_bytes"] for a in accounts] == [4, 6, 6, 6, 6]
    assert (tmp_path / "3.txt").read_text() == "30\n31\n"


def test_pool_and_inline_write_the_same_bytes(tmp_path):
    shard_jobs.run("job", write_numbers, tasks(), tmp_path / "a", InProcess())
    shard_jobs.run("job", write_numbers, tasks(), tmp_path / "b", WorkerPool(3))
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_rerun_makes_only_what_is_not_done(tmp_path):
    first = shard_jobs.run("job", write_numbers, tasks(), tmp_path, InProcess())
    whole = files(tmp_path)
    made = []

    def spy(task, path, report):
        made.append(task.shard)
        return write_numbers(task, path, report)

    assert shard_jobs.run("job", spy, tasks(), tmp_path, InProcess()) == first
    assert made == []

    (tmp_path / "1.txt").unlink()
    (tmp_path / "2.txt").write_text("cut")
    (tmp_path / "accounts" / "3.txt.json").write_text("{")
    (tmp_path / ".writing-0-4.txt").write_text("left by a kill")
    assert shard_jobs.run("job", spy, tasks(), tmp_path, InProcess()) == first
    assert made == ["1.txt", "2.txt", "3.txt"]
    assert files(tmp_path) == whole


def test_changed_tasks_are_redone_and_foreign_shards_removed(tmp_path):
    shard_jobs.run("job", write_numbers, tasks(), tmp_path, InProcess())
    changed = [CountTask("0.txt", (7,)), *tasks()[1:3]]
    shard_jobs.run("job", write_numbers, changed, tmp_path, InProcess())
    shard_jobs.run("job", write_numbers, changed, tmp_path / "new", InProcess())
    again = files(tmp_path / "new")
    for name in again:
        (tmp_path / "new" / name).unlink()
    assert files(tmp_path) == again
    assert again["0.txt"] == b"7\n" and "4.txt" not in again


def test_an_error_of_a_shard_is_passed_on(tmp_path, runner):
    with pytest.raises(UserError, match="twenty is bad"):
        shard_jobs.run("job", fail_at_20, tasks(), tmp_path, runner)
    # One of the first two was finished before the third began; it is kept.
    assert {"0.txt", "1.txt"} & files(tmp_path).keys()
    assert "2.txt" not in files(tmp_path)
    assert not list(tmp_path.glob(".writing-*"))


def test_a_dead_worker_is_told_with_shard_and_item(tmp_path):
    with pytest.raises(UserError) as caught:
        shard_jobs.run("job", die_at_20, tasks(), tmp_path, WorkerPool(2))
    message = str(caught.value)
    assert "died (SIGSEGV) in shard 2.txt, at number 20" in message
    assert not list(tmp_path.glob(".writing-*"))
    # One of the first two was finished before the third began; it is kept.
    assert {"0.txt", "1.txt"} & files(tmp_path).keys()


def test_on_account_sees_all_accounts_and_can_stop_the_job(tmp_path):
    seen = []
    shard_jobs.run("job", write_numbers, tasks(2), tmp_path, InProcess())
    shard_jobs.run(
        "job",
        write_numbers,
        tasks(4),
        tmp_path,
        InProcess(),
        on_account=seen.append,
    )
    assert [account["sum"] for account in seen] == [1, 21, 41, 61]

    def stop(account):
        raise UserError("enough")

    with pytest.raises(UserError, match="enough"):
        shard_jobs.run(
            "job",
            write_numbers,
            tasks(),
            tmp_path / "b",
            InProcess(),
            on_account=stop,
        )
    assert sorted(files(tmp_path / "b")) == [
        ".lock",
        "0.txt",
        "accounts/0.txt.json",
    ]


def test_progress_counts_items_and_what_was_there(tmp_path, capsys):
    shard_jobs.run("job", write_numbers, tasks(2), tmp_path, InProcess())
    shard_jobs.run("job", write_numbers, tasks(4), tmp_path, InProcess())
    assert "job: 8/8 clips (100%)" in capsys.readouterr().err


SLOW_JOB = """
import sys
from data import shard_jobs
from data.worker_pool import WorkerPool
from tests.data.shard_jobs_test import tasks, write_slowly

if __name__ == "__main__":
    shard_jobs.run("job", write_slowly, tasks(8), sys.argv[1], WorkerPool(2))
"""


def test_killed_at_any_moment_and_rerun_equals_uninterrupted(tmp_path):
    script = tmp_path / "job.py"
    script.write_text(SLOW_JOB)
    command = [sys.executable, str(script), str(tmp_path / "killed")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    (tmp_path / "killed").mkdir()
    for enough in (1, 4):  # Shards at which the whole group is killed.
        process = subprocess.Popen(
            command,
            env=environment,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        while len(list((tmp_path / "killed").glob("*.txt"))) < enough:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert len(list((tmp_path / "killed").glob("*.txt"))) < 8
    shard_jobs.run(
        "job", write_slowly, tasks(8), tmp_path / "killed", InProcess()
    )
    shard_jobs.run(
        "job", write_slowly, tasks(8), tmp_path / "whole", InProcess()
    )
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    json.loads(files(tmp_path / "whole")["accounts/7.txt.json"])
