import errno
import fcntl
import os
import platform
import subprocess
import sys

import pytest

from data.run import run_directory, run_lock
from data.run.errors import UserError
from data.run.run_lock import LOCK_FILE
from tests.data.jobs.shard_jobs_test import ROOT, run, tasks
from tests.data.run import run_directory_test

# Takes the lock, says so, and keeps it until its input ends.
HOLDER = """
import sys
from data.run import run_lock

run_lock.take(sys.argv[1])
print("taken", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that has locked tmp_path."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        cwd=ROOT,
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


def test_the_second_process_is_told_who_writes_and_may_read(tmp_path, other):
    with pytest.raises(UserError) as caught:
        run_directory_test.start(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} is being written by process {other.pid} on "
        f"{platform.node()}: wait for it, stop it, or choose another --output"
    )
    [file] = tmp_path.iterdir()
    assert file.name == LOCK_FILE and file.read_bytes()
    (tmp_path / run_directory.CONFIG_FILE).write_text(
        '{"stage": "stage", "config": {}}'
    )
    run_directory.read(tmp_path)
    other.communicate()
    assert file.read_bytes() == b"" and not is_locked(tmp_path)


def test_a_killed_process_leaves_no_lock_and_its_name_is_written_over(
    tmp_path, other
):
    other.kill()
    other.wait()
    assert (tmp_path / LOCK_FILE).read_bytes() and not is_locked(tmp_path)
    (tmp_path / LOCK_FILE).write_text("process 123456789012 on " + 80 * "x")
    run_lock.take(tmp_path)
    text = (tmp_path / LOCK_FILE).read_text()
    assert text == f"process {os.getpid()} on {platform.node()}"
    assert is_locked(tmp_path)
    run_lock.release(tmp_path)
    assert not is_locked(tmp_path)


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
    assert run(tmp_path, tasks(2)) == accounts


def test_an_output_that_is_a_file_is_locked_and_swept(tmp_path):
    output = tmp_path / "a.html"
    (tmp_path / ".writing-0a-a.html").write_text("half")
    run_lock.take_file(str(output))
    [lock] = tmp_path.iterdir()
    assert lock.name == ".lock-a.html" and lock.read_bytes()
    program = "import sys; from data.run import run_lock;"
    program += "run_lock.take_file(sys.argv[1])"
    command = [sys.executable, "-c", program]

    def take(path):
        return subprocess.run(
            [*command, str(path)], cwd=ROOT, capture_output=True, text=True
        ).stderr

    told = f"a.html is being written by process {os.getpid()} on"
    assert told in take(output)
    # Others in the same folder are free; it goes with the process.
    assert take(tmp_path / "b.html") == ""
    run_lock.release(output)
    assert take(output) == "" and not list(tmp_path.iterdir())
    with pytest.raises(UserError, match="is a folder: name a file"):
        run_lock.take_file(str(tmp_path))
