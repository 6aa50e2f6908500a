"""Shards of items that are read in other processes, some of them traps."""

import dataclasses
import functools
import json
import pathlib

import pytest

from data.jobs.decoder_pool import DecoderPool
from data.jobs.decoding_jobs import DecodingJobs
from data.run.errors import UserError
from data.run.rejects import Rejected
from tests.data.jobs import traps
from tests.data.jobs.shard_jobs_test import files
from tests.data.jobs.traps import sprung


@dataclasses.dataclass(frozen=True)
class TrapTask:
    """Numbers to write; what they do when read, see `traps.read`."""

    shard: str
    numbers: tuple[int, ...]
    notes: pathlib.Path
    crash: tuple[int, ...] = ()

    @property
    def num_items(self):
        return len(self.numbers)

    def items(self):
        folder = self.notes.parent
        return traps.items(folder, self.numbers, crash=self.crash)


def write_numbers(task, path, results):
    rejects = []
    with path.open("w") as stream:
        for number, result in zip(task.numbers, results, strict=True):
            if isinstance(result, Rejected):
                rejects.append([number, result.kind, result.reason])
            else:
                stream.write(f"{result}\n")
    return {"rejects": rejects}


def tasks(folder, count=3, crash=()):
    numbers = [tuple(range(7 * k, 7 * k + 7)) for k in range(count)]
    return [
        TrapTask(f"{k}.txt", of_task, folder / "notes", crash)
        for k, of_task in enumerate(numbers)
    ]


def run(folder, todo, write=write_numbers, runner=None):
    with DecoderPool(2, 60.0) as pool:
        jobs = DecodingJobs(pool, runner)
        return jobs.run("job", write, todo, folder / "out")


def test_items_that_crash_are_left_out_also_by_reruns(tmp_path, capsys):
    todo = tasks(tmp_path, crash=(0, 8, 13))
    accounts = run(tmp_path, todo)
    reason = accounts[0]["rejects"][0][2]
    assert reason.startswith("reading it ended its process twice (SIGSEGV): ")
    assert [account["rejects"] for account in accounts] == [
        [[0, "crashed", reason]],
        [[8, "crashed", reason], [13, "crashed", reason]],
        [],
    ]
    whole = files(tmp_path / "out")
    assert whole["1.txt"].split() == [b"7", b"9", b"10", b"11", b"12"]
    assert sprung(tmp_path / "notes") == [0, 0, 8, 8, 13, 13]
    assert "job: 21/21 clips" in capsys.readouterr().err
    account = json.loads(whole["accounts/1.txt.json"])
    assert list(account["lost"].items()) == [
        ("number 13", ["crashed", reason]),
        ("number 8", ["crashed", reason]),
    ]
    assert "lost" not in json.loads(whole["accounts/2.txt.json"])

    (tmp_path / "out" / "1.txt").unlink()
    (tmp_path / "notes").unlink()
    assert run(tmp_path, todo) == accounts
    assert files(tmp_path / "out") == whole
    assert not (tmp_path / "notes").exists()


def test_what_is_lost_is_remembered_where_the_job_was_interrupted(tmp_path):
    def interrupt(task, path, results):
        write_numbers(task, path, results)
        raise UserError("interrupted")

    todo = tasks(tmp_path, 1, crash=(3,))
    with pytest.raises(UserError, match="interrupted"):
        run(tmp_path, todo, interrupt)
    assert not (tmp_path / "out" / "0.txt").exists()
    (tmp_path / "notes").unlink()
    run(tmp_path, todo)
    assert not (tmp_path / "notes").exists()
    assert files(tmp_path / "out")["0.txt"] == b"0\n1\n2\n4\n5\n6\n"


def test_changed_tasks_try_their_items_anew(tmp_path):
    run(tmp_path, tasks(tmp_path, 2, crash=(8,)))
    run(tmp_path, tasks(tmp_path, 2))
    assert (tmp_path / "out" / "1.txt").read_text().split()[1] == "8"
    assert b"lost" not in files(tmp_path / "out")["accounts/1.txt.json"]


class MeetingTask(TrapTask):
    def items(self):
        [number] = self.numbers
        yield "it", functools.partial(traps.meet, number, self.notes.parent)


def test_shards_of_one_item_keep_all_processes_busy(tmp_path):
    todo = [MeetingTask(f"{k}.txt", (k,), tmp_path / "notes") for k in (0, 1)]
    run(tmp_path, todo)
    assert files(tmp_path / "out")["1.txt"] == b"1\n"
