"""Jobs whose shards hold items that are read in processes of their own."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from data.jobs import shard_jobs
from data.jobs.decoder_pool import DecoderPool, GivenUp, Item
from data.jobs.shard_jobs import Runner, Shards, Task


class DecodingTask(Task, Protocol):
    """A task whose items can be read one by one."""

    def items(self) -> Iterable[Item]:
        """Their names, unique in the task, and what reads each of them."""


WriteShard = Callable[[DecodingTask, pathlib.Path, Iterator], dict]
"""(task, path, results of its items in order) -> account.

A result is a `Rejected` where the item cannot be used.
"""


@dataclasses.dataclass(frozen=True)
class DecodingJobs:
    """Runs jobs on the same processes.

    Attributes:
      pool: reads the items; those that it gives up are remembered.
      runner: as of `shard_jobs.run`; each of its processes has such a pool.
    """

    pool: DecoderPool
    runner: Runner | None = None

    def run(
        self,
        name: str,
        write_shard: WriteShard,
        tasks: Sequence[DecodingTask],
        folder: pathlib.Path,
        **options,
    ) -> list[dict]:
        """Makes the shards that are not done; see `shard_jobs.run`."""
        make = functools.partial(_make, write_shard, self.pool)
        return shard_jobs.run(
            name, make, tasks, folder, runner=self.runner, **options
        )


def _make(
    write_shard: WriteShard,
    pool: DecoderPool,
    tasks: Sequence[DecodingTask],
    shards: Shards,
) -> Iterator[DecodingTask]:
    # Of all shards in one stream, so that no process waits at a border.
    results = pool.map(item for task in tasks for item in _items(task, shards))
    for task in tasks:
        with shards.writing(task) as (path, account):
            account |= write_shard(task, path, _of_task(task, results, shards))
        yield task


def _items(task: DecodingTask, shards: Shards) -> Iterator[Item]:
    """Those of a task; what was lost earlier is not read again."""
    lost = shards.lost(task)
    return (item for item in task.items() if item[0] not in lost)


def _of_task(task: DecodingTask, results: Iterator, shards: Shards) -> Iterator:
    """The results of a task, the next ones; remembers what is given up."""
    lost = shards.lost(task)
    for name, _ in task.items():
        result = GivenUp(*lost[name]) if name in lost else next(results)
        if isinstance(result, GivenUp) and name not in lost:
            shards.give_up(task, name, result)
        yield result
        shards.advance()
