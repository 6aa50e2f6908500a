"""Jobs that read shards and write a file for each, less what is unreadable."""

import functools
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from data import shard_jobs
from data.bad_record import PASSING, examine
from data.bad_records import BadRecords
from data.dataset_info import DatasetInfo
from data.record_index import RecordIndex
from data.shard_jobs import Runner, Shards, Task


class ReadingTask(Task, Protocol):
    """A task that reads one shard."""

    source_file: str
    """Name of that shard."""


WriteFile = Callable[
    [ReadingTask, RecordIndex, pathlib.Path, Callable[[], None]], dict
]
"""(task, index of its shard, path, called for each clip) -> account.

The account has `bad_records`: numbers of the records left out. A runner calls
it for one task after the other in other processes: what is costly to make,
such as a model, it loads from files that the task names, and keeps.
"""


def run(
    name: str,
    write_file: WriteFile,
    tasks: Sequence[ReadingTask],
    info: DatasetInfo,
    splits: Sequence[str],
    folder: pathlib.Path,
    max_bad_fraction: float,
    flag: str = "--max_bad_fraction",
    runner: Runner | None = None,
) -> list[dict]:
    """Writes the files of all tasks that are not done, one after the other.

    TensorFlow uses every core by itself. Records that cannot be used are
    listed in `folder`/bad_records.csv; once one of them is repaired, its
    shard's file is made again.

    Args:
      write_file: see `WriteFile`.
      info: the dataset of the shards.
      splits: names of all of the splits that are read.
      max_bad_fraction, flag: as of `BadRecords`.
      name, tasks, folder, runner: as of `shard_jobs.run`, which see too for
        what is returned.

    Raises:
      UserError: too many records cannot be used.
    """
    total = sum(shard.clips for shard in info.shards_of(splits))
    bad_records = BadRecords(folder, total, max_bad_fraction, flag)
    task_of = {task.shard: task for task in tasks}
    repaired = set()

    def examine_bad(is_last: bool, account: dict) -> None:
        if not account["bad_records"]:
            return
        index = _index(info, [task_of[account["shard"]]])
        rows = examine(index, account["bad_records"])
        if any(row.cause == PASSING for row in rows):
            repaired.add(account["shard"])
        bad_records.add(r for r in rows if is_last or r.cause != PASSING)

    def make_all(is_last: bool) -> list[dict]:
        return shard_jobs.run(
            name,
            functools.partial(_make, write_file, info.folder.absolute()),
            tasks,
            folder,
            on_account=functools.partial(examine_bad, is_last),
            runner=runner,
        )

    accounts = make_all(is_last=False)
    if repaired:
        for file in repaired:
            (folder / file).unlink()
        accounts = make_all(is_last=True)
    bad_records.save()
    return accounts


def _make(
    write_file: WriteFile,
    folder: pathlib.Path,
    tasks: Sequence[ReadingTask],
    shards: Shards,
) -> Iterator[ReadingTask]:
    index = _index(DatasetInfo.load(folder), tasks)
    for number, task in enumerate(tasks):
        with shards.writing(task) as (path, account):
            account |= write_file(
                task, index.of_shard(number), path, shards.advance
            )
        yield task


def _index(info: DatasetInfo, tasks: Sequence[ReadingTask]) -> RecordIndex:
    """Of the shards that the tasks read, in their order."""
    shard_of = {s.file: s for shards in info.splits.values() for s in shards}
    return RecordIndex.of_shards(info, [shard_of[t.source_file] for t in tasks])
