import errno
import fcntl
import os
import platform
import signal
import subprocess
import sys

import pytest

from data.run import run_directory, run_lock
from data.run.errors import UserError
from data.run.run_lock import LOCK_FILE
from tests.data.jobs.shard_jobs_test import ROOT, run, tasks
from tests.data.run.run_directory_test import Config
from tests.data.sound_files import write

# Takes the lock, says so, and keeps it until its input ends.
HOLDER = """
import sys
from data import run_lock

run_lock.take(sys.argv[1])
print("taken", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that has locked tmp_path."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"taken\n"
    yield process
    process.communicate()


@pytest.fixture(autouse=True)
def released(tmp_path):
    yield
    run_lock.release(tmp_path)


def is_locked(folder):
    with (folder / LOCK_FILE).open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_the_second_process_is_told_who_writes(tmp_path, other):
    with pytest.raises(UserError) as caught:
        run_directory.start(str(tmp_path), "stage", Config())
    assert str(caught.value) == (
        f"{tmp_path} is being written by process {other.pid} on "
        f"{platform.node()}: wait for it, stop it, or choose another --output"
    )
    assert not (tmp_path / run_directory.CONFIG_FILE).exists()
    other.communicate()
    run_directory.start(str(tmp_path), "stage", Config())


def test_a_second_job_ends_with_one_line(tmp_path, other):
    write(tmp_path / "in" / "a.wav")
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "data" / "write_shards.py")),
            *("--source=folder", "--input=in", f"--output={tmp_path}"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert f"{tmp_path} is being written by process {other.pid} on" in line


def test_a_killed_process_leaves_no_lock(tmp_path, other):
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    assert not is_locked(tmp_path)
    run_lock.take(tmp_path)
    assert is_locked(tmp_path)
    run_lock.release(tmp_path)
    assert not is_locked(tmp_path)


def test_a_process_that_ends_leaves_an_empty_file(tmp_path, other):
    [file] = tmp_path.iterdir()
    assert file.name == LOCK_FILE and file.read_bytes()
    other.communicate()
    assert file.read_bytes() == b""


def test_the_name_of_a_killed_process_is_written_over(tmp_path):
    (tmp_path / LOCK_FILE).write_text("process 123456789012 on " + 80 * "x")
    run_lock.take(tmp_path)
    text = (tmp_path / LOCK_FILE).read_text()
    assert text == f"process {os.getpid()} on {platform.node()}"


def test_readers_are_not_blocked(tmp_path):
    run_directory.start(str(tmp_path), "stage", Config())
    read = (
        "import sys; from data import run_directory as r; r.read(*sys.argv[1:])"
    )
    subprocess.run(
        [sys.executable, "-c", read, str(tmp_path), "stage"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
    )


def test_a_process_may_take_its_own_lock_again(tmp_path):
    run_lock.take(tmp_path)
    run_lock.take(f"{tmp_path}/../{tmp_path.name}")
    with run_lock.held(tmp_path):
        pass
    assert is_locked(tmp_path)


def test_a_job_waits_for_another_one_on_its_files(tmp_path, other, monkeypatch):
    waited = []

    def told(text, *values):
        waited.append(text % values)
        other.communicate()

    monkeypatch.setattr(run_lock.logging, "info", told)
    accounts = run(tmp_path, tasks(2))
    assert waited == [
        f"waiting for process {other.pid} on {platform.node()}, which writes "
        f"{tmp_path}"
    ]
    assert [account["sum"] for account in accounts] == [1, 21]
    assert not is_locked(tmp_path)


def test_without_locks_in_the_file_system_there_is_a_warning(
    tmp_path, monkeypatch
):
    def flock(descriptor, how):
        raise OSError(errno.ENOLCK, "No locks available")

    told = []
    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(
        run_lock.logging, "warning", lambda text, *v: told.append(text % v)
    )
    run_lock.take(tmp_path)
    assert told == [
        f"{tmp_path} cannot be locked (No locks available): start no second "
        "job on it"
    ]


def test_a_folder_that_cannot_be_written_is_not_locked(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    accounts = run(tmp_path, tasks(2))
    monkeypatch.setattr(os, "open", refuse)
    # All is there, so nothing need be written.
    again = run(tmp_path, tasks(2))
    assert again == accounts
