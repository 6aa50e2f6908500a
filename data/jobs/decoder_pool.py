"""Reads items in several processes, and gives up those that crash or hang."""

import collections
import concurrent.futures
import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator

from absl import logging

from data.jobs.decoder_process import (
    DecoderProcess,
    Died,
    TookTooLong,
    can_fork,
)
from data.run.errors import UserError
from data.run.rejects import Rejected

# Items a process that wait for it, or are ready before their turn.
_AHEAD = 4
# Losses before the job ends; an item that crashes costs two.
_MIN_LOSSES, _LOSSES_AN_ITEM = 20, 0.2

Item = tuple[str, Callable[[], object]]
"""A name, for messages, and a picklable call that reads the item."""


class GivenUp(Rejected):
    """An item that ended its process twice, or took too long."""


class DecoderPool(contextlib.AbstractContextManager):
    """Reads items in other processes; for a `with` statement.

    A pickled copy, as on a worker of Beam, has processes of its own.

    Args:
      workers: how many; 0: one for each core this process may use.
      item_timeout_s: longest time that an item may take; None: no limit, and
        an item that ends its process ends the job.
    """

    def __init__(self, workers: int = 0, item_timeout_s: float | None = None):
        self._workers = workers or _num_cores()
        self._timeout_s = item_timeout_s
        # Now, while there are no threads; else as they are needed.
        self._unused = [
            DecoderProcess() for _ in range(self._workers if can_fork() else 0)
        ]
        # A thread for each process, which waits for it.
        self._threads = concurrent.futures.ThreadPoolExecutor(self._workers)
        self._process_of: dict[int, DecoderProcess] = {}
        self._items = self._losses = 0
        self._end: Exception | None = None

    def __reduce__(self):
        return DecoderPool, (self._workers, self._timeout_s)

    def __exit__(self, *error) -> None:
        self._end = concurrent.futures.CancelledError()
        for _ in range(2):  # One may just be starting: until threads end.
            for process in [*self._unused, *self._process_of.values()]:
                process.kill()
            self._threads.shutdown(cancel_futures=True)

    def map(self, items: Iterable[Item]) -> Iterator[object]:
        """Reads items, a few of them ahead of those that are asked for.

        Yields:
          The result of each, in order: a `Rejected` where it raised that, a
          `GivenUp` where it ended its process twice, so that it was no
          accident, or took too long.

        Raises:
          UserError: a process was ended by somebody, or too many were lost.
          Exception: any other that an item raised.
        """
        ahead = collections.deque()
        for item in items:
            ahead.append(self._threads.submit(self._read, *item))
            if len(ahead) > _AHEAD * self._workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()

    def _read(self, name: str, call: Callable[[], object]) -> object:
        self._items += 1
        for _ in range(2):
            try:
                return self._process().call(call, self._timeout_s)
            except TookTooLong:
                self._count_loss(f"hangs at {name}", "take that file away")
                given_up = GivenUp(
                    "timed_out",
                    "reading it took longer than --item_timeout_seconds="
                    f"{self._timeout_s:g}: raise that flag and write to "
                    "another --output, or take it away",
                )
                break
            except Died as died:
                guess, remedy = "", "take that file away"
                if not died.is_by_item:
                    remedy = "see the lines above"
                elif died.is_killed:
                    guess = ", out of memory?"
                    remedy = "out of memory? lower --workers"
                self._count_loss(
                    f"died ({died}) at {name}", remedy, died.is_by_item
                )
                given_up = GivenUp(
                    "crashed",
                    f"reading it ended its process twice ({died}{guess}): "
                    "convert it with another program, or take it away",
                )
        logging.warning("%s is left out: %s", name, given_up)
        return given_up

    def _process(self) -> DecoderProcess:
        """That of this thread, a new one where it has lost its last one."""
        thread = threading.get_ident()
        process = self._process_of.get(thread)
        if process is None or process.is_over:
            self._go_on()
            try:
                process = self._unused.pop()
            except IndexError:
                process = DecoderProcess()
            self._process_of[thread] = process
        self._go_on()
        return process

    def _count_loss(
        self, what: str, remedy: str, is_by_item: bool = True
    ) -> None:
        """Ends the job where going on would not help."""
        self._go_on()
        logging.warning("a worker process %s", what)
        self._losses += 1
        limit = max(_MIN_LOSSES, _LOSSES_AN_ITEM * self._items)
        if not (is_by_item and self._timeout_s and self._losses <= limit):
            self._end = UserError(
                f"a worker process {what}: {remedy} and run again; what is "
                "finished is kept"
            )
            raise self._end

    def _go_on(self) -> None:
        if self._end:
            raise self._end


def _num_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Containers: fewer than the CPUs.
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
