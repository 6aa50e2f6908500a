"""Jobs that read shards and write a file for each, less what is unreadable."""

import functools
import pathlib
from collections.abc import Callable, Sequence

from data import shard_jobs
from data.bad_record import PASSING, examine
from data.bad_records import BadRecords
from data.dataset_info import DatasetInfo
from data.job_runner import InProcess
from data.record_index import RecordIndex
from data.shard_jobs import Task
from data.worker_pool import Report

ReadingFunction = Callable[[Task, RecordIndex, pathlib.Path, Report], dict]
"""As `shard_jobs.ShardFunction`, with the index of the shard to read.

Its account has `bad_records`: numbers of the records that it has left out.
"""


def run(
    name: str,
    write_shard: ReadingFunction,
    tasks: Sequence[Task],
    sources: Sequence[str],
    info: DatasetInfo,
    splits: Sequence[str],
    folder: pathlib.Path,
    max_bad_fraction: float,
    flag: str = "--max_bad_fraction",
) -> list[dict]:
    """Writes the files of all tasks that are not done, in this process.

    Records that cannot be used are listed in `folder`/bad_records.csv. Once
    one of them is repaired, its shard's file is made again.

    Args:
      name: of the job, for the progress shown.
      write_shard: see `ReadingFunction`.
      tasks: one a file.
      sources: the shard that each of them reads.
      info: the dataset of the shards.
      splits: names of all of the splits that are read.
      folder: where the files go.
      max_bad_fraction, flag: as of `BadRecords`.

    Returns:
      The account of each task, in order.

    Raises:
      UserError: too many records cannot be used.
    """
    shards = info.shards_of(splits)
    total = sum(shard.clips for shard in shards)
    bad_records = BadRecords(folder, total, max_bad_fraction, flag)
    place_of = {shard.file: place for place, shard in enumerate(shards)}
    source_of = {
        task.shard: place_of[source]
        for task, source in zip(tasks, sources, strict=True)
    }
    repaired = set()

    @functools.cache
    def all_records() -> RecordIndex:
        # Only made where something is to be read.
        return RecordIndex.of(info, splits)

    def write(task: Task, path: pathlib.Path, report: Report) -> dict:
        index = all_records().of_shard(source_of[task.shard])
        return write_shard(task, index, path, report)

    def on_account(account: dict, last: bool = False) -> None:
        if not account["bad_records"]:
            return
        index = all_records().of_shard(source_of[account["shard"]])
        rows = examine(index, account["bad_records"])
        if any(row.cause == PASSING for row in rows):
            repaired.add(account["shard"])
        bad_records.add(row for row in rows if last or row.cause != PASSING)

    def run_all(on_account: Callable[[dict], None]) -> list[dict]:
        return shard_jobs.run(
            name, write, tasks, folder, InProcess(), on_account=on_account
        )

    accounts = run_all(on_account)
    if repaired:
        for file in repaired:
            (folder / file).unlink()
        accounts = run_all(functools.partial(on_account, last=True))
    bad_records.save()
    return accounts
