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
    lost = [shards.lost(task) for task in tasks]
    # Of all shards in one stream, so that no process waits at a border.
    results = pool.map(
        item
        for task, of_task in zip(tasks, lost, strict=True)
        for item in task.items()
        if item[0] not in of_task
    )
    for task, of_task in zip(tasks, lost, strict=True):
        with shards.writing(task) as (path, account):
            in_order = _in_order(task, results, of_task, shards)
            account |= write_shard(task, path, in_order)
        yield task


def _in_order(
    task: DecodingTask,
    results: Iterator,
    lost: dict[str, tuple[str, str]],
    shards: Shards,
) -> Iterator:
    """Results of all items of a task, those lost earlier in their places."""
    for name, _ in task.items():
        if name in lost:
            yield GivenUp(*lost[name])
        else:
            result = next(results)
            if isinstance(result, GivenUp):
                shards.give_up(task, name, result.kind, result.reason)
            yield result
        shards.advance()
