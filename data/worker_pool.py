"""A pool of processes that knows what each of them was doing when it died.

The pools of the standard library tell only that *some* worker died. Here
each worker has its own pipe, so the task, and the item in it, can be named,
and the item that took the worker down can be left out.
"""

import collections
import contextlib
import dataclasses
import functools
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence

from absl import logging

from data.user_error import UserError

_REPORT, _RESULT, _ERROR = range(3)
# OSError also where a worker died in the middle of a message.
_GONE = (EOFError, OSError)
_TICK_S = 0.25
# Of a task, before its job ends: each item that crashes costs two.
_MIN_DEATHS, _DEATHS_AN_ITEM = 20, 0.1
_FROM_OUTSIDE = {signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT}

Report = Callable[[str], None]
"""Called by a task before each item, with its name, and with "" after all."""


@dataclasses.dataclass(frozen=True)
class Isolation:
    """How items are left out that would take the job down.

    Attributes:
      item_timeout_s: longest time that an item may take.
      on_lost: called with task, item, kind and reason before the task is
        run again; the function must know then. Picklable.
    """

    item_timeout_s: float
    on_lost: Callable[[object, str, str, str], None]


class WorkerPool:
    """Fresh processes that tasks are given to.

    Args:
      workers: how many; 0: one for each core this process may use.
      keep: whether they stay for the next `run`, until this process ends.
    """

    def __init__(self, workers: int = 0, keep: bool = False):
        self._workers = workers or _num_cores()
        self._keep = keep
        self._idle: list[_Worker] = []

    def run(
        self,
        function: Callable[[object, Report], object],
        tasks: Sequence[object],
        names: Sequence[str],
        on_report: Callable[[int, int], None],
        folder: os.PathLike | None = None,
        isolation: Isolation | None = None,
    ) -> Iterator[tuple[int, object]]:
        """Maps `function(task, report)` over the tasks.

        With `isolation`, an item whose process dies (twice, so that it was
        no accident) or that takes too long is given up, and its task run
        again in a new process.

        Args:
          function: importable by name, since workers are fresh processes.
          tasks: its arguments; picklable, with a length `num_items`.
          names: of the tasks, for messages.
          on_report: called with the number of a task and of its items
            reported so far.
          folder: of the job; not used here.
          isolation: None: a worker that dies ends the job.

        Yields:
          (number of the task, its result) as they finish.

        Raises:
          UserError: a worker died outside any item, was ended by somebody,
            or too many died in one task; with the task's and item's name.
          Exception: what a task raised, with its traceback as a note.
        """
        waiting = collections.deque(range(len(tasks)))
        crew: dict[multiprocessing.connection.Connection, _Worker] = {}
        losses = _Losses(tasks, names, isolation)
        seen = time.monotonic()
        try:
            while waiting or crew:
                while waiting and len(crew) < self._workers:
                    worker = self._idle.pop() if self._idle else _Worker()
                    crew[worker.pipe] = worker
                    number = waiting.popleft()
                    worker.give(number, function, tasks[number])
                ready = multiprocessing.connection.wait(
                    list(crew), _TICK_S if isolation else None
                )
                # Capped: while this process is stopped, workers are too.
                passed_s = min(time.monotonic() - seen, 2 * _TICK_S)
                seen = time.monotonic()
                for pipe, worker in list(crew.items()):
                    if pipe not in ready:
                        worker.silent_s += passed_s
                        if losses.is_overdue(worker):
                            del crew[pipe]
                            losses.add_overdue(worker)
                            waiting.appendleft(worker.number)
                        continue
                    try:
                        kind, value = pipe.recv()
                    except _GONE:
                        del crew[pipe]
                        losses.add_dead(worker)
                        waiting.appendleft(worker.number)
                        continue
                    if kind == _REPORT:
                        worker.at(value)
                        if value:
                            on_report(worker.number, worker.num_items)
                    elif kind == _ERROR:
                        raise value
                    else:
                        self._idle.append(crew.pop(pipe))
                        yield worker.number, value
        finally:
            for worker in crew.values():
                worker.stop()
            if not self._keep:
                while self._idle:
                    self._idle.pop().stop()


class _Losses:
    """Decides what follows from a worker that died or hangs."""

    def __init__(
        self,
        tasks: Sequence[object],
        names: Sequence[str],
        isolation: Isolation | None,
    ):
        self._tasks, self._names = tasks, names
        self._isolation = isolation
        self._deaths = collections.Counter()
        self._crashes = collections.Counter()

    def is_overdue(self, worker: "_Worker") -> bool:
        return bool(
            self._isolation
            and worker.item
            and worker.silent_s > self._isolation.item_timeout_s
        )

    def add_overdue(self, worker: "_Worker") -> None:
        """Stops the worker and gives its item up."""
        worker.stop()
        limit_s = self._isolation.item_timeout_s
        self._count_death(worker, "hangs", "take that file away")
        self._give_up(
            worker,
            "timed_out",
            f"reading it took longer than --item_timeout_seconds={limit_s:g}: "
            "raise that flag and write to another --output, or take it away",
        )

    def add_dead(self, worker: "_Worker") -> None:
        """Gives the item up of a worker that died, if it did twice."""
        code = worker.end()
        how = f"exit code {code}"
        if code < 0:
            how = signal.Signals(-code).name
        remedy = "take that file away" if worker.item else "see the lines above"
        if code == -signal.SIGKILL:
            remedy = "out of memory? lower --workers"
        self._count_death(worker, f"died ({how})", remedy, -code)
        place = worker.number, worker.item
        self._crashes[place] += 1
        if self._crashes[place] == 1:
            logging.warning(
                "a worker process died (%s) at %s: trying again",
                how,
                worker.item,
            )
            return
        self._give_up(
            worker,
            "crashed",
            f"reading it ended its process twice ({how}"
            + (", out of memory?" if code == -signal.SIGKILL else "")
            + "): convert it with another program, or take it away",
        )

    def _count_death(
        self, worker: "_Worker", what: str, remedy: str, sent: int = 0
    ) -> None:
        """Ends the job where going on would not help."""
        task = self._tasks[worker.number]
        self._deaths[worker.number] += 1
        limit = max(_MIN_DEATHS, _DEATHS_AN_ITEM * task.num_items)
        if (
            self._isolation is None
            or not worker.item
            or sent in _FROM_OUTSIDE
            or self._deaths[worker.number] > limit
        ):
            raise UserError(
                f"a worker process {what} in {self._names[worker.number]}"
                + (f", at {worker.item}" if worker.item else "")
                + f": {remedy} and run again; what is finished is kept"
            )

    def _give_up(self, worker: "_Worker", kind: str, reason: str) -> None:
        logging.warning("%s is left out: %s", worker.item, reason)
        self._isolation.on_lost(
            self._tasks[worker.number], worker.item, kind, reason
        )


class _Worker:
    """One process, the task it has and the item it reported last."""

    def __init__(self):
        # Not forked: a fork of a process that runs TensorFlow can hang.
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(other,), daemon=True
        )
        self.process.start()
        other.close()

    def give(self, number: int, function: Callable, task: object) -> None:
        self.number, self.num_items = number, 0
        self.item, self.silent_s = "", 0.0
        try:
            self.pipe.send((function, task))
        except _GONE:
            pass  # The next `recv` tells.

    def at(self, item: str) -> None:
        self.item, self.silent_s = item, 0.0
        self.num_items += bool(item)

    def end(self) -> int:
        """The exit code of a process that is dying."""
        self.process.join(timeout=10)
        code = self.process.exitcode or 0
        self.stop()
        return code

    def stop(self) -> None:
        self.process.kill()  # A decoder that hangs may not hear less.
        self.process.join()
        self.pipe.close()


def _num_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Containers: fewer than the CPUs.
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _serve(pipe: multiprocessing.connection.Connection) -> None:
    """The life of a worker: ends when the pipe's other end is gone."""
    # Ctrl-C reaches the whole group; the parent alone decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(OSError):  # Linux, for want of memory: me first.
        pathlib.Path("/proc/self/oom_score_adj").write_text("500")

    def report(item: str) -> None:
        _hush_decoders()
        pipe.send((_REPORT, item))

    try:
        while True:
            function, task = pipe.recv()
            try:
                result = function(task, report)
            except Exception as error:
                pipe.send((_ERROR, _portable(error)))
            else:
                pipe.send((_RESULT, result))
    except _GONE:
        return


@functools.cache
def _hush_decoders() -> None:
    """C libraries tell stderr of each damaged place, not in which file."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _end_with_parent() -> None:
    """Also in the middle of an item that hangs."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _portable(error: Exception) -> Exception:
    """The error, or one with its text where it cannot be pickled."""
    text = "".join(traceback.format_exception(error))
    try:
        error.add_note(f"In a worker:\n{text}")
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return RuntimeError(text)
