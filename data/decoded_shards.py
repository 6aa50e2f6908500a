"""Makes shards of items that are read in processes of their own."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from data.decoder_pool import DecoderPool, GivenUp, Item
from data.shard_jobs import Shards, Task


class DecodedTask(Task, Protocol):
    """A task whose items can be read one by one."""

    def items(self) -> Iterable[Item]:
        """Their names, unique in the task, and what reads each of them."""


@dataclasses.dataclass(frozen=True)
class DecodedShards:
    """A `shard_jobs.MakeShards`; reads ahead across the borders of shards.

    Attributes:
      write_shard: (task, path, results of its items in order) -> account;
        a result is a `Rejected` where the item cannot be used.
      pool: reads the items; those that it gives up are remembered.
    """

    write_shard: Callable[[DecodedTask, pathlib.Path, Iterator], dict]
    pool: DecoderPool

    def __call__(
        self, tasks: Sequence[DecodedTask], shards: Shards
    ) -> Iterator[DecodedTask]:
        lost = [shards.lost(task) for task in tasks]
        results = self.pool.map(
            item
            for task, of_task in zip(tasks, lost, strict=True)
            for item in task.items()
            if item[0] not in of_task
        )
        for task, of_task in zip(tasks, lost, strict=True):
            with shards.writing(task) as (path, account):
                in_order = _in_order(task, results, of_task, shards)
                account |= self.write_shard(task, path, in_order)
            yield task


def _in_order(
    task: DecodedTask,
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
