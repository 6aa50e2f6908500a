"""Jobs that read shards and write a file for each, less what is unreadable."""

import functools
import pathlib
import uuid
from collections.abc import Callable, Sequence
from typing import Protocol

from data import shard_jobs
from data.bad_record import PASSING, examine
from data.bad_records import BadRecords
from data.dataset_info import DatasetInfo
from data.job_runner import Runner
from data.record_index import RecordIndex
from data.shard_jobs import Task
from data.worker_pool import Report


class ReadingTask(Task, Protocol):
    """A task that reads one shard."""

    source_file: str
    """Name of that shard."""


ReadingFunction = Callable[
    [ReadingTask, RecordIndex, pathlib.Path, Report], dict
]
"""As `shard_jobs.ShardFunction`, with the index of the shard to read.

Its account has `bad_records`: numbers of the records that it has left out.
"""


def run(
    name: str,
    write_shard: ReadingFunction,
    tasks: Sequence[ReadingTask],
    info: DatasetInfo,
    splits: Sequence[str],
    folder: pathlib.Path,
    runner: Runner,
    max_bad_fraction: float,
    flag: str = "--max_bad_fraction",
) -> list[dict]:
    """Writes the files of all tasks that are not done.

    Records that cannot be used are listed in `folder`/bad_records.csv. Once
    one of them is repaired, its shard's file is made again.

    Args:
      name: of the job, for the progress shown.
      write_shard: see `ReadingFunction`.
      tasks: one a file.
      info: the dataset of the shards.
      splits: names of all of the splits that are read.
      folder: where the files go.
      runner: what runs the tasks; see `shard_jobs.ShardFunction`.
      max_bad_fraction, flag: as of `BadRecords`.

    Returns:
      The account of each task, in order.

    Raises:
      UserError: too many records cannot be used.
    """
    total = sum(shard.clips for shard in info.shards_of(splits))
    bad_records = BadRecords(folder, total, max_bad_fraction, flag)
    task_of = {task.shard: task for task in tasks}
    repaired = set()
    index_of = functools.partial(
        _index_of, info.folder.absolute(), tuple(splits), uuid.uuid4().hex
    )

    def on_account(account: dict, last: bool = False) -> None:
        if not account["bad_records"]:
            return
        index = index_of(task_of[account["shard"]])
        rows = examine(index, account["bad_records"])
        if any(row.cause == PASSING for row in rows):
            repaired.add(account["shard"])
        bad_records.add(row for row in rows if last or row.cause != PASSING)

    def run_all(on_account: Callable[[dict], None]) -> list[dict]:
        write = functools.partial(_write, write_shard, index_of)
        return shard_jobs.run(
            name, write, tasks, folder, runner, on_account=on_account
        )

    accounts = run_all(on_account)
    if repaired:
        for file in repaired:
            (folder / file).unlink()
        accounts = run_all(functools.partial(on_account, last=True))
    bad_records.save()
    return accounts


def _write(
    write_shard: ReadingFunction,
    index_of: Callable[[ReadingTask], RecordIndex],
    task: ReadingTask,
    path: pathlib.Path,
    report: Report,
) -> dict:
    return write_shard(task, index_of(task), path, report)


def _index_of(
    folder: pathlib.Path, splits: tuple[str, ...], job: str, task: ReadingTask
) -> RecordIndex:
    index = _all_records(folder, splits, job)
    files = [shard.file for shard in index.shards]
    return index.of_shard(files.index(task.source_file))


@functools.lru_cache(maxsize=1)
def _all_records(
    folder: pathlib.Path, splits: tuple[str, ...], job: str
) -> RecordIndex:
    """Made once a job in each process, where something is to be read."""
    return RecordIndex.of(DatasetInfo.load(folder), splits)
