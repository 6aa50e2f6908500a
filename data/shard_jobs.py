"""Jobs are maps over shards, and a rerun makes only what is missing.

A job is a list of tasks, one a file. A file is written whole or not at all,
and after it its account, a small JSON in `accounts/` with the fingerprint of
the task and the size of the file: a task counts as done when both still hold.
So a job killed at any moment goes on where it was, and ends with the bytes
that an uninterrupted one would have written.
"""

import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Protocol

from data import worker_pool
from data.atomic_write import atomic_path, write_json
from data.progress import Progress
from data.worker_pool import Report

ACCOUNTS_FOLDER = "accounts"


class Task(Protocol):
    """A picklable description of one file to write.

    It must hold all that the file depends on, with a `repr` that shows it:
    the fingerprint is made of that.
    """

    shard: str
    """Name of the file."""
    num_items: int
    """Items in it, for the progress shown."""


ShardFunction = Callable[[Task, pathlib.Path, Report], dict]
"""Writes the file of a task to a path; returns its account (JSON values).

It calls the report before each item, with the item's name.
"""


def run(
    name: str,
    write_shard: ShardFunction,
    tasks: Sequence[Task],
    folder: str | os.PathLike,
    workers: int = 0,
    unit: str = "clips",
    on_account: Callable[[dict], None] | None = None,
) -> list[dict]:
    """Writes the files of all tasks that are not done.

    Files that an earlier list of tasks had and this one has not are removed.

    Args:
      name: of the job, for the progress shown.
      write_shard: importable by name.
      tasks: one a file.
      folder: where the files go.
      workers: processes; 0: one a core; 1: all inside this process.
      unit: what the items are.
      on_account: called with each account as it is there; may raise to stop
        the job.

    Returns:
      The account of each task, in order, with `shard` and `num_bytes` added.

    Raises:
      UserError: a worker process died.
    """
    folder = pathlib.Path(folder)
    accounts = folder / ACCOUNTS_FOLDER
    accounts.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    _remove_foreign(folder, tasks)
    found = [_account_if_done(folder, task) for task in tasks]
    on_account = on_account or (lambda account: None)
    for account in filter(None, found):
        on_account(account)
    missing = [number for number, account in enumerate(found) if not account]
    if not missing:
        return found

    total = sum(task.num_items for task in tasks)
    left = sum(tasks[number].num_items for number in missing)
    progress = Progress(name, total, unit, done=total - left)
    try:
        for number, account in worker_pool.run(
            functools.partial(_write, write_shard, folder),
            [tasks[number] for number in missing],
            [f"shard {tasks[number].shard}" for number in missing],
            worker_pool.num_workers(workers),
            lambda item: progress.update(progress.done + 1),
        ):
            found[missing[number]] = account
            on_account(account)
        progress.finish()
    finally:
        _remove_leftovers(folder)
    return found


def _write(
    write_shard: ShardFunction,
    folder: pathlib.Path,
    task: Task,
    report: Report,
) -> dict:
    with atomic_path(folder / task.shard) as path:
        account = {
            "shard": task.shard,
            "fingerprint": _fingerprint(task),
            **write_shard(task, path, report),
        }
        account["num_bytes"] = path.stat().st_size
    write_json(_account_file(folder, task.shard), account)
    # As read from the file, so that fresh and found accounts are alike.
    return json.loads(json.dumps(account))


def _account_if_done(folder: pathlib.Path, task: Task) -> dict | None:
    try:
        account = json.loads(
            _account_file(folder, task.shard).read_text(encoding="utf-8")
        )
        size = (folder / task.shard).stat().st_size
    except (FileNotFoundError, ValueError):
        return None
    done = account.get("fingerprint") == _fingerprint(task)
    return account if done and account.get("num_bytes") == size else None


def _fingerprint(task: Task) -> str:
    return hashlib.blake2b(repr(task).encode(), digest_size=16).hexdigest()


def _account_file(folder: pathlib.Path, shard: str) -> pathlib.Path:
    return folder / ACCOUNTS_FOLDER / f"{shard}.json"


def _remove_leftovers(folder: pathlib.Path) -> None:
    """Half-written files of killed workers."""
    for place in (folder, folder / ACCOUNTS_FOLDER):
        for file in place.glob(".writing-*"):
            file.unlink(missing_ok=True)


def _remove_foreign(folder: pathlib.Path, tasks: Sequence[Task]) -> None:
    ours = {task.shard for task in tasks}
    for file in (folder / ACCOUNTS_FOLDER).glob("*.json"):
        if file.stem not in ours:
            (folder / file.stem).unlink(missing_ok=True)
            file.unlink()
