"""Jobs that read shards and write a file for each, less what is unreadable."""

import functools
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from absl import logging

from data.jobs import shard_jobs
from data.jobs.shard_jobs import Runner, Shards, Task
from data.run import content
from data.shards.bad_records import PASSING, BadRecord, BadRecords, examine
from data.shards.dataset_info import DATASET_FILE, DatasetInfo
from data.shards.record_index import RecordIndex


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
    index_file: str | None,
    list_folder: pathlib.Path | None = None,
    flag: str = "--max_bad_fraction",
    runner: Runner | None = None,
) -> list[dict]:
    """Writes the files of all tasks that are not done, one after the other.

    TensorFlow uses every core by itself. Records that cannot be used are
    listed in bad_records.csv; once one of them is repaired, its shard's file
    is made again. A shard that is not as it was written is told of.

    Args:
      write_file: see `WriteFile`.
      info: the dataset of the shards.
      splits: names of all of the splits that are read.
      list_folder: where bad_records.csv goes; None: `folder`.
      max_bad_fraction, flag: as of `BadRecords`.
      name, tasks, folder, index_file, runner: as of `shard_jobs.run`, which see
        too for what is returned.

    Raises:
      UserError: too many records cannot be used.
    """
    for task in tasks:
        account = Shards(folder).account_if_done(task)
        if account and (
            _is_replaced(info, task, account)
            or _any_passes(_examine(info, task, account))
        ):
            (folder / task.shard).unlink()
    total = sum(shard.clips for shard in info.shards_of(splits))
    list_folder = list_folder or folder
    bad_records = BadRecords(list_folder, total, max_bad_fraction, flag)
    task_of = {task.shard: task for task in tasks}
    accounts = shard_jobs.run(
        name,
        functools.partial(_make, write_file, info.folder.absolute()),
        tasks,
        folder,
        on_account=lambda account: bad_records.add(
            _examine(info, task_of[account["shard"]], account)
        ),
        runner=runner,
        index_file=index_file,
    )
    bad_records.save()
    return accounts


def _make(
    write_file: WriteFile,
    folder: pathlib.Path,
    tasks: Sequence[ReadingTask],
    shards: Shards,
) -> Iterator[ReadingTask]:
    info = DatasetInfo.load(folder)
    index = _index(info, tasks)
    for number, task in enumerate(tasks):
        read = _state(info, task)
        if read and read["sha256"] != info.shard_named[task.source_file].sha256:
            logging.warning(
                "%s is not as it was written (by its digest in %s): its "
                "records are checked one by one; write the shards again",
                info.folder / task.source_file,
                DATASET_FILE,
            )
        for _ in range(2):  # Storage may fail now and then.
            with shards.writing(task) as (path, account):
                account |= write_file(
                    task, index.of_shard(number), path, shards.advance
                )
                account["read"] = read
            if not _any_passes(_examine(info, task, account)):
                break
        yield task


def _examine(
    info: DatasetInfo, task: ReadingTask, account: dict
) -> list[BadRecord]:
    """What is wrong with the records that were left out."""
    if not account["bad_records"]:
        return []
    return examine(_index(info, [task]), account["bad_records"])


def _any_passes(rows: Sequence[BadRecord]) -> bool:
    return any(row.cause == PASSING for row in rows)


def _is_replaced(info: DatasetInfo, task: ReadingTask, account: dict) -> bool:
    """Whether the shard has other bytes than when it was read.

    They are looked at again where the file was written since.
    """
    read, file = account["read"], info.folder / task.source_file
    if read and file.exists():
        if file.stat().st_mtime_ns == read["modified_ns"]:
            return False
    now = _state(info, task)
    return bool(now) and (not read or now["sha256"] != read["sha256"])


def _state(info: DatasetInfo, task: ReadingTask) -> dict | None:
    """Digest and time of the shard of a task; None: it cannot be read."""
    file = info.folder / task.source_file
    try:
        modified_ns = file.stat().st_mtime_ns
        digest = content.file_sha256(file)
    except OSError:
        return None
    return {"sha256": digest, "modified_ns": modified_ns}


def _index(info: DatasetInfo, tasks: Sequence[ReadingTask]) -> RecordIndex:
    """Of the shards that the tasks read, in their order."""
    shards = [info.shard_named[task.source_file] for task in tasks]
    return RecordIndex.of_shards(info, shards)
