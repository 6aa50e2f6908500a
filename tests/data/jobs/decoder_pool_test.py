"""Items that crash or hang are given up; the others are read."""

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
from data.run.rejects import Rejected
from data.sources.recording_files import Recording
from tests.data.jobs.shard_jobs_test import ROOT
from tests.data.sound_files import write


def read(number, notes, crash=(), hang=(), crashes=99, how=signal.SIGSEGV):
    """Returns a number, some of which end or stop the process.

    Args:
      number: of the item.
      notes: each trap sprung adds its number to this file.
      crash: numbers that end the process.
      hang: numbers that take forever.
      crashes: how often each of `crash` does so.
      how: the signal that does it.
    """
    if number in crash + hang:
        with notes.open("a") as stream:
            stream.write(f"{number}\n")
    if number in hang:
        time.sleep(1000)
    if number in crash and sprung(notes).count(number) <= crashes:
        os.kill(os.getpid(), how)
    return number


def sprung(notes):
    return sorted(int(number) for number in notes.read_text().split())


def items(folder, numbers, **traps):
    """Named items, of which some are traps."""
    for number in numbers:
        yield (
            f"number {number}",
            functools.partial(read, number, folder / "notes", **traps),
        )


def results(items, workers=2, timeout_s=60.0):
    with DecoderPool(workers, timeout_s) as pool:
        return list(pool.map(items))


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


def test_items_that_crash_are_given_up_and_the_rest_is_read(tmp_path):
    found = results(items(tmp_path, range(21), crash=(0, 8, 13)))
    for number, result in enumerate(found):
        if number not in (0, 8, 13):
            assert result == number
            continue
        assert isinstance(result, GivenUp) and result.kind == "crashed"
        assert result.reason == (
            "reading it ended its process twice (SIGSEGV): convert it with "
            "another program, or take it away"
        )
    assert sprung(tmp_path / "notes") == [0, 0, 8, 8, 13, 13]


@pytest.mark.parametrize("how", [signal.SIGABRT, signal.SIGKILL])
def test_one_crash_may_be_an_accident(tmp_path, how):
    traps = {"crash": (8,), "crashes": 1, "how": how}
    assert results(items(tmp_path, [7, 8, 9], **traps)) == [7, 8, 9]
    assert sprung(tmp_path / "notes") == [8, 8]


def test_want_of_memory_is_guessed(tmp_path):
    [given_up] = results(items(tmp_path, [3], crash=(3,), how=9))
    assert "(SIGKILL, out of memory?)" in given_up.reason


def oom_score():
    return int(pathlib.Path("/proc/self/oom_score_adj").read_text())


def test_want_of_memory_takes_a_worker_before_the_job():
    assert results([("score", oom_score)]) == [500]
    assert oom_score() < 500


def test_items_that_hang_are_given_up_at_the_first_time(tmp_path):
    found = results(items(tmp_path, range(5, 12), hang=(7, 9)), timeout_s=1.5)
    for number, result in enumerate(found, start=5):
        if number not in (7, 9):
            assert result == number
            continue
        assert isinstance(result, GivenUp) and result.kind == "timed_out"
        assert result.reason.startswith(
            "reading it took longer than --item_timeout_seconds=1.5: raise"
        )
    assert sprung(tmp_path / "notes") == [7, 9]


def speak():
    os.write(2, b"as C libraries do")
    print("as Python does", file=sys.stderr)


def test_only_c_libraries_are_hushed(capfd):
    assert results([("noise", speak)]) == [None]
    assert capfd.readouterr().err == "as Python does\n"


def has_tensorflow():
    return "tensorflow" in sys.modules


def test_clips_and_scenes_are_read_without_tensorflow(tmp_path):
    path = write(tmp_path / "a.wav")
    reader = ClipReader(str(tmp_path), 8000, 0.1, -80, "flac")
    maker = SceneMaker(0, 0.5, 8000, "flac")
    clip = ClipPlan(Recording("a.wav", 1, 1), 0.0, 1.0, True)
    for item in (
        functools.partial(reader.read, clip),
        functools.partial(header_scan.read_seconds, str(path), 0.1),
        functools.partial(maker.read, ScenePlan(1)),
    ):
        assert results([("a", item), ("b", has_tensorflow)], 1)[1] is False


def refuse():
    raise Rejected("silent", "nothing to hear")


def test_refused_items_are_results(tmp_path):
    [rejected] = results([("quiet", refuse)])
    assert (rejected.kind, rejected.reason) == ("silent", "nothing to hear")
    assert not isinstance(rejected, GivenUp)


def divide():
    return 1 / 0


def test_other_errors_end_the_job_and_show_where(tmp_path):
    with pytest.raises(ZeroDivisionError) as caught:
        results([("a", divide)])
    assert "in divide\n    return 1 / 0" in caught.value.__notes__[0]


def test_a_worker_ended_by_somebody_ends_the_job(tmp_path):
    told = r"died \(SIGTERM\) at number 8: .* what is finished is kept"
    with pytest.raises(UserError, match=told):
        results(items(tmp_path, [8], crash=(8,), how=signal.SIGTERM))
    assert sprung(tmp_path / "notes") == [8]


def test_a_worker_that_exits_ends_the_job():
    with pytest.raises(UserError, match=r"died \(exit code 7\) at b: see the"):
        results([("b", functools.partial(os._exit, 7))])


def test_crashes_on_and_on_end_the_job(tmp_path, monkeypatch):
    monkeypatch.setattr(decoder_pool, "_MIN_LOSSES", 4)
    found = []
    with pytest.raises(UserError, match="at number 3: take"):
        with DecoderPool(1, 60.0) as pool:
            for result in pool.map(items(tmp_path, range(9), crash=(1, 2, 3))):
                found.append(result)
    assert found[0] == 0 and [r.kind for r in found[1:]] == 2 * ["crashed"]
    assert sprung(tmp_path / "notes") == [1, 1, 2, 2, 3]


def test_without_a_timeout_a_crash_ends_the_job(tmp_path):
    with pytest.raises(UserError, match="SIGSEGV.*at number 8: take that file"):
        results(items(tmp_path, [8, 9], crash=(8,)), timeout_s=None)
    assert sprung(tmp_path / "notes") == [8]


JOB = """
import pathlib, signal, sys
from tests.data.jobs.decoder_pool_test import items, rest, results

if __name__ == "__main__":
    # Ignored where the tests themselves run in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = pathlib.Path(sys.argv[1])
    {job}
"""


@contextlib.contextmanager
def job_of_its_own(folder, job, sprung_first):
    """A process, with a group of its own, once some traps are sprung."""
    (folder / "job.py").write_text(JOB.format(job=job))
    process = subprocess.Popen(
        [sys.executable, str(folder / "job.py"), str(folder)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    notes, deadline = folder / "notes", time.monotonic() + 60
    while not notes.exists() or sprung(notes) != sprung_first:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    yield process
    process.kill()
    process.communicate()


def children(process):
    command = ["ps", "-o", "pid=", "--ppid", str(process.pid)]
    return subprocess.check_output(command, text=True).split()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_that_hang_end_with_their_parent(tmp_path, how):
    hanging = "results(items(folder, [0, 7], hang=(0, 7)))"
    with job_of_its_own(tmp_path, hanging, [0, 7]) as process:
        workers = children(process)
        assert len(workers) == 3  # Two and Python's resource tracker.
        if how == signal.SIGKILL:
            process.kill()
        else:  # As Ctrl-C does, which is for the parent alone.
            os.killpg(process.pid, how)
        _, told = process.communicate()
        assert process.returncode == -how
        assert told.count("Traceback") == (how == signal.SIGINT)
        deadline = time.monotonic() + 60
        while any(pathlib.Path(f"/proc/{pid}").exists() for pid in workers):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def rest(notes):
    with notes.open("a") as stream:
        stream.write("1\n")
    time.sleep(0.5)
    return "rested"


def test_time_in_which_the_job_is_stopped_does_not_count(tmp_path):
    job = (
        "print(results([('rest', functools.partial(rest, folder / 'notes'))], "
        "timeout_s=2.0))"
    )
    job = f"import functools\n    {job}"
    with job_of_its_own(tmp_path, job, [1]) as process:
        os.killpg(process.pid, signal.SIGSTOP)
        time.sleep(2.5)
        os.killpg(process.pid, signal.SIGCONT)
        assert process.communicate()[0] == "['rested']\n"
