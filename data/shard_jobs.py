"""Jobs are maps over shards, and a rerun makes only what is missing.

A job is a list of tasks, one a file. A file is written whole or not at all,
and after it its account, a small JSON in `accounts/` with the fingerprint of
the task and the size of the file: a task counts as done when both still hold.
So a job killed at any moment goes on where it was, and ends with the bytes
that an uninterrupted one would have written.
"""

import collections
import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Protocol

from data import run_lock
from data.atomic_write import atomic_path, remove_leftovers, write_json
from data.job_runner import Runner
from data.progress import Progress
from data.rejects import Rejected
from data.user_error import UserError
from data.worker_pool import Isolation, Report

ACCOUNTS_FOLDER = "accounts"


class Task(Protocol):
    """A picklable description of one file to write.

    It must hold all that the file depends on, with a `repr` that shows it:
    the fingerprint is made of that. Its paths are absolute.
    """

    shard: str
    """Name of the file."""
    num_items: int
    """Items in it, for the progress shown."""


ShardFunction = Callable[[Task, pathlib.Path, Report], dict]
"""Writes the file of a task to a path; returns its account (JSON values).

It calls the report before each item, with the item's name, unique in the
task. In a job with `item_timeout_s` the report raises `Rejected` for an item
that was given up: the function leaves it out, and says so in its account.

A runner other than `InProcess` imports it by name in other processes, on
other machines under Beam, and gives each process many tasks: what is costly
to make, such as a model, a function loads from the files that its task names
and keeps (`functools.cache`).
"""


def run(
    name: str,
    write_shard: ShardFunction,
    tasks: Sequence[Task],
    folder: str | os.PathLike,
    runner: Runner,
    unit: str = "clips",
    on_account: Callable[[dict], None] | None = None,
    item_timeout_s: float | None = None,
) -> list[dict]:
    """Writes the files of all tasks that are not done.

    Files that an earlier list of tasks had and this one has not are removed.
    Where another process writes the same files, it is waited for.

    Args:
      name: of the job, for the progress shown.
      write_shard: see `ShardFunction`.
      tasks: one a file.
      folder: where the files go.
      runner: what runs them, as from `job_runner.choose`.
      unit: what the items are.
      on_account: called with each account as it is there; may raise to stop
        the job.
      item_timeout_s: an item that takes longer, or ends its process, is given
        up, for reruns too. None: that ends the job.

    Returns:
      The account of each task, in order, with `shard` and `num_bytes` added.

    Raises:
      UserError: a worker process died, and not because of an item, or files
        went elsewhere.
    """
    folder = pathlib.Path(folder).absolute()
    (folder / ACCOUNTS_FOLDER).mkdir(parents=True, exist_ok=True)
    with run_lock.held(folder):
        _remove_half_written(folder)
        _remove_foreign(folder, tasks)
        found = [_account_if_done(folder, task) for task in tasks]
        on_account = on_account or (lambda account: None)
        for account in filter(None, found):
            on_account(account)
        missing = [k for k, account in enumerate(found) if not account]
        if not missing:
            return found
        waiting = [tasks[k] for k in missing]
        total = sum(task.num_items for task in tasks)
        left = sum(task.num_items for task in waiting)
        counts = _Counts(Progress(name, total, unit, done=total - left))
        isolation = None
        if item_timeout_s is not None:
            on_lost = functools.partial(_give_up, folder)
            isolation = Isolation(item_timeout_s, on_lost)
        try:
            for number, _ in runner.run(
                functools.partial(_write, write_shard, folder),
                waiting,
                [f"shard {task.shard}" for task in waiting],
                counts.update,
                folder,
                isolation,
            ):
                counts.update(number, waiting[number].num_items)
                account = _account_if_done(folder, waiting[number])
                if account is None:
                    raise UserError(
                        f"{folder / waiting[number].shard} was made but is "
                        "not there: do all workers write to the same folder?"
                    )
                found[missing[number]] = account
                on_account(account)
            counts.progress.finish()
        finally:
            _remove_half_written(folder)
    return found


class _Counts:
    """Items reported, those of a task that is run again not twice."""

    def __init__(self, progress: Progress):
        self.progress = progress
        self._of_task = collections.Counter()

    def update(self, number: int, count: int) -> None:
        more = count - self._of_task[number]
        if more > 0:
            self._of_task[number] = count
            self.progress.update(self.progress.done + more)


def _write(
    write_shard: ShardFunction,
    folder: pathlib.Path,
    task: Task,
    report: Report,
) -> None:
    lost = _lost_items(folder, task)

    def checked_report(item: str) -> None:
        report(item)
        if item in lost:
            raise Rejected(*lost[item])

    with atomic_path(folder / task.shard) as path:
        account = {
            "shard": task.shard,
            "fingerprint": _fingerprint(task),
            **write_shard(task, path, checked_report),
        }
        report("")
        account["num_bytes"] = path.stat().st_size
    write_json(_account_file(folder, task.shard), account)


def _account_if_done(folder: pathlib.Path, task: Task) -> dict | None:
    account = _read_json(_account_file(folder, task.shard))
    try:
        size = (folder / task.shard).stat().st_size
    except FileNotFoundError:
        return None
    done = account.get("fingerprint") == _fingerprint(task)
    return account if done and account.get("num_bytes") == size else None


def _lost_items(folder: pathlib.Path, task: Task) -> dict[str, tuple[str, str]]:
    """Kind and reason of the items that were given up."""
    kept = _read_json(_lost_file(folder, task.shard))
    return (
        kept["items"] if kept.get("fingerprint") == _fingerprint(task) else {}
    )


def _give_up(
    folder: pathlib.Path, task: Task, item: str, kind: str, reason: str
) -> None:
    """Remembers an item, so that reruns leave it out as well."""
    items = _lost_items(folder, task) | {item: (kind, reason)}
    write_json(
        _lost_file(folder, task.shard),
        {
            "fingerprint": _fingerprint(task),
            "items": dict(sorted(items.items())),
        },
    )


def _read_json(file: pathlib.Path) -> dict:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def _fingerprint(task: Task) -> str:
    return hashlib.blake2b(repr(task).encode(), digest_size=16).hexdigest()


def _account_file(folder: pathlib.Path, shard: str) -> pathlib.Path:
    return folder / ACCOUNTS_FOLDER / f"{shard}.json"


def _lost_file(folder: pathlib.Path, shard: str) -> pathlib.Path:
    return folder / ACCOUNTS_FOLDER / f"{shard}.lost"


def _remove_half_written(folder: pathlib.Path) -> None:
    for place in (folder, folder / ACCOUNTS_FOLDER):
        remove_leftovers(place)


def _remove_foreign(folder: pathlib.Path, tasks: Sequence[Task]) -> None:
    """Shards, accounts and lost items of tasks that there are no more."""
    fingerprints = {task.shard: _fingerprint(task) for task in tasks}
    for file in (folder / ACCOUNTS_FOLDER).glob("*.json"):
        if file.stem not in fingerprints:
            (folder / file.stem).unlink(missing_ok=True)
            file.unlink()
    for file in (folder / ACCOUNTS_FOLDER).glob("*.lost"):
        if _read_json(file).get("fingerprint") != fingerprints.get(file.stem):
            file.unlink()
