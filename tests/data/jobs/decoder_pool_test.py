"""Items that crash or hang are given up; the others are read."""

import ast
import contextlib
import functools
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from data.ingest import header_scan
from data.ingest.clip_plan import ClipPlan, ScenePlan
from data.ingest.clip_shards import ClipReader, SceneMaker
from data.jobs import decoder_pool
from data.jobs.decoder_pool import DecoderPool, GivenUp
from data.run.errors import UserError
from data.sources.recording_files import Recording
from tests import ROOT
from tests.data.jobs.traps import (
    divide,
    items,
    look_around,
    results,
    sprung,
    wait_until,
)
from tests.data.sound_files import write


def test_results_come_in_order_and_few_are_read_ahead(tmp_path):
    taken = []

    def watched():
        for number, item in enumerate(items(tmp_path, range(40))):
            taken.append(number)
            yield item

    with DecoderPool(2) as pool:
        for number, result in enumerate(pool.map(watched())):
            assert result == number
            assert len(taken) <= number + 1 + 2 * 4
        # Its processes can be used again.
        assert [*pool.map(items(tmp_path, [7]))] == [7]


def test_items_that_crash_or_hang_are_given_up(tmp_path):
    numbers = items(tmp_path, range(7), crash=(1,), hang=(4,))
    others = items(tmp_path, range(7, 11), crash=(9,), how=signal.SIGKILL)
    found = results([*numbers, *others], timeout_s=1.5)
    given_up = {k: found.pop(k) for k in (9, 4, 1)}
    assert found == [0, 2, 3, 5, 6, 7, 8, 10]
    assert all(isinstance(result, GivenUp) for result in given_up.values())
    assert {k: result.kind for k, result in given_up.items()} == {
        1: "crashed",
        4: "timed_out",
        9: "crashed",
    }
    assert given_up[1].reason == (
        "reading it ended its process twice (SIGSEGV): convert it with "
        "another program, or take it away"
    )
    assert "(SIGKILL, out of memory?)" in given_up[9].reason
    assert given_up[4].reason.startswith(
        "reading it took longer than --item_timeout_seconds=1.5: raise"
    )
    assert sprung(tmp_path / "notes") == [1, 1, 4, 9, 9]


def test_one_crash_may_be_an_accident(tmp_path):
    traps = {"crash": (8,), "crashes": 1, "how": signal.SIGKILL}
    assert results(items(tmp_path, [7, 8, 9], **traps)) == [7, 8, 9]
    assert sprung(tmp_path / "notes") == [8, 8]


def test_workers_hush_c_libraries_end_first_and_need_no_tensorflow(
    tmp_path, capfd
):
    path = write(tmp_path / "a.wav")
    reader = ClipReader(str(tmp_path), 8000, 0.1, -80, "flac")
    clip = ClipPlan(Recording("a.wav"), 0.0, 1.0, True)
    calls = [
        (reader.read, clip),
        (header_scan.read_header, str(path), 0.1),
        (SceneMaker(0, 0.5, 8000, "flac").read, ScenePlan(1)),
        (look_around,),
    ]
    items = [(str(call), functools.partial(*call)) for call in calls]
    assert results(items, 1)[-1] == (500, False)
    assert capfd.readouterr().err == "as Python does\n"


def test_other_errors_end_the_job_and_show_where():
    with pytest.raises(ZeroDivisionError) as caught:
        results([("a", divide)])
    assert "in divide\n    return 1 / 0" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    "how, timeout_s, told",
    [
        # Ended by somebody.
        (signal.SIGTERM, 60.0, r"\(SIGTERM\) at number 8: see the lines above"),
        (None, 60.0, r"\(exit code 7\) at number 8: see the lines above"),
        # Without a timeout nothing is given up.
        (signal.SIGSEGV, None, r"\(SIGSEGV\) at number 8: take that file away"),
        (signal.SIGKILL, None, r"\(SIGKILL\) at .*: out of memory\? lower --w"),
    ],
)
def test_other_losses_end_the_job(tmp_path, how, timeout_s, told):
    told = rf"died {told}.* and run again; what is finished is kept"
    with pytest.raises(UserError, match=told):
        results(items(tmp_path, [8], crash=(8,), how=how), timeout_s=timeout_s)
    assert sprung(tmp_path / "notes") == [8]


def test_crashes_on_and_on_end_the_job(tmp_path, monkeypatch):
    monkeypatch.setattr(decoder_pool, "_MIN_LOSSES", 4)
    found = []
    with pytest.raises(UserError, match="at number 3: take"):
        with DecoderPool(1, 60.0) as pool:
            for result in pool.map(items(tmp_path, range(9), crash=(1, 2, 3))):
                found.append(result)
    assert found[0] == 0 and [r.kind for r in found[1:]] == 2 * ["crashed"]
    assert sprung(tmp_path / "notes") == [1, 1, 2, 2, 3]


JOB = """
import functools, pathlib, signal, sys, threading, time
from tests.data.jobs.traps import *

# Ignored where the tests themselves run in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
folder = pathlib.Path("{folder}")
parents.append("is known to forks")
{before}
print({job})
"""


def run_job(folder, job, before=""):
    """Runs a job in a process that has not loaded TensorFlow, unlike ours."""
    program = JOB.format(folder=folder, job=job, before=before)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    "before, told",
    [
        ("", "True"),
        ("sys.modules['tensorflow'] = sys", "False"),
        (
            "threading.Thread(target=time.sleep, args=(9,), daemon=True)"
            ".start()",
            "False",
        ),
    ],
)
def test_processes_are_forked_where_nothing_else_runs(tmp_path, before, told):
    done = run_job(tmp_path, "results([('a', is_forked)])", before)
    assert (done.stdout, done.stderr) == (f"[{told}]\n", "")


def test_forks_that_crash_or_hang_are_replaced_by_fresh_processes(tmp_path):
    job = (
        "[str(r) for r in results([*items(folder, range(4), crash=(1,), "
        "hang=(2,)), ('forked', is_forked)], 1, 1.0)]"
    )
    done = run_job(tmp_path, job)
    assert done.returncode == 0, done.stderr
    found = ast.literal_eval(done.stdout)
    assert found[0] == "0" and found[3:] == ["3", "False"]
    assert "ended its process twice (SIGSEGV)" in found[1]
    assert "took longer than --item_timeout_seconds=1" in found[2]
    assert sprung(tmp_path / "notes") == [1, 1, 2]


def test_a_fork_that_somebody_ends_ends_the_job(tmp_path):
    job = "results(items(folder, [8], crash=(8,), how=signal.SIGTERM))"
    done = run_job(
        tmp_path, job, "signal.signal(signal.SIGTERM, lambda *_: None)"
    )
    assert "died (SIGTERM) at number 8: see the lines above" in done.stderr
    assert sprung(tmp_path / "notes") == [8]


@contextlib.contextmanager
def job_of_its_own(folder, job, sprung_first):
    """A process, with a group of its own, once some traps are sprung."""
    process = subprocess.Popen(
        [sys.executable, "-c", JOB.format(folder=folder, job=job, before="")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    notes = folder / "notes"
    wait_until(lambda: notes.exists() and sprung(notes) == sprung_first)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_that_hang_end_with_their_parent(tmp_path, how):
    hanging = "results(items(folder, [0, 7], hang=(0, 7)))"
    with job_of_its_own(tmp_path, hanging, [0, 7]) as process:
        command = ["ps", "-o", "pid=", "--ppid", str(process.pid)]
        workers = subprocess.check_output(command, text=True).split()
        assert len(workers) == 2
        if how == signal.SIGKILL:
            process.kill()
        else:  # As Ctrl-C does, which is for the parent alone.
            os.killpg(process.pid, how)
        _, told = process.communicate()
        assert process.returncode == -how
        assert told.count("Traceback") == (how == signal.SIGINT)
        places = [pathlib.Path("/proc", pid) for pid in workers]
        wait_until(lambda: not any(place.exists() for place in places))


def test_time_in_which_the_job_is_stopped_does_not_count(tmp_path):
    item = "'rest', functools.partial(rest, folder / 'notes')"
    job = f"results([({item})], timeout_s=2.0)"
    with job_of_its_own(tmp_path, job, [1]) as process:
        os.killpg(process.pid, signal.SIGSTOP)
        time.sleep(2.5)
        os.killpg(process.pid, signal.SIGCONT)
        assert process.communicate()[0] == "['rested']\n"
