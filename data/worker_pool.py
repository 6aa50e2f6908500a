"""A pool of processes that knows what each of them was doing when it died.

The pools of the standard library tell only that *some* worker died. Here
each worker has its own pipe, so the task, and the item in it, can be named.
"""

import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence

from data.user_error import UserError

_REPORT, _RESULT, _ERROR = range(3)
_GONE = (EOFError, BrokenPipeError, ConnectionResetError)

Report = Callable[[str], None]
"""Called by a task before each item, with the item's name."""


def num_workers(asked: int) -> int:
    """`asked`, or for 0 one worker for each core this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Containers: fewer than the CPUs.
        return asked or len(os.sched_getaffinity(0))
    return asked or os.cpu_count() or 1


def run(
    function: Callable[[object, Report], object],
    tasks: Sequence[object],
    names: Sequence[str],
    workers: int,
    on_report: Report,
) -> Iterator[tuple[int, object]]:
    """Maps `function(task, report)` over the tasks.

    Args:
      function: importable by name, since workers are fresh processes.
      tasks: its arguments; picklable.
      names: of the tasks, for messages.
      workers: how many processes; 1: none, everything runs right here.
      on_report: called for each report of any worker.

    Yields:
      (number of the task, its result) as they finish.

    Raises:
      UserError: a worker died, with the task's and the item's name.
      Exception: what a task raised, with its traceback as a note.
    """
    if workers == 1:
        for number, task in enumerate(tasks):
            yield number, function(task, on_report)
        return
    waiting = iter(enumerate(tasks))
    crew: dict[multiprocessing.connection.Connection, _Worker] = {}
    try:
        for _ in range(min(workers, len(tasks))):
            worker = _Worker(function)
            crew[worker.pipe] = worker
            worker.give(*next(waiting))
        while crew:
            for pipe in multiprocessing.connection.wait(list(crew)):
                worker = crew[pipe]
                try:
                    kind, value = pipe.recv()
                except _GONE as error:
                    raise worker.crashed(names[worker.number]) from error
                if kind == _REPORT:
                    worker.item = value
                    on_report(value)
                    continue
                if kind == _ERROR:
                    raise value
                yield worker.number, value
                following = next(waiting, None)
                if following is None:
                    crew.pop(pipe).stop()
                else:
                    worker.give(*following)
    finally:
        for worker in crew.values():
            worker.stop()


class _Worker:
    """One process, the task it has and the item it reported last."""

    def __init__(self, function: Callable):
        # Not forked: a fork of a process that runs TensorFlow can hang.
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(other, function), daemon=True
        )
        self.process.start()
        other.close()

    def give(self, number: int, task: object) -> None:
        self.number, self.item = number, ""
        try:
            self.pipe.send(task)
        except _GONE:
            pass  # The next `recv` tells.

    def stop(self) -> None:
        self.process.terminate()
        self.process.join()
        self.pipe.close()

    def crashed(self, task_name: str) -> UserError:
        self.process.join(timeout=10)
        code = self.process.exitcode or 0
        how = f"exit code {code}"
        if code < 0:
            how = signal.Signals(-code).name
        remedy = "take that file away" if self.item else "see the lines above"
        if code == -signal.SIGKILL:
            remedy = "out of memory? lower --workers"
        return UserError(
            f"a worker process died ({how}) in {task_name}"
            + (f", at {self.item}" if self.item else "")
            + f": {remedy} and run again; what is finished is kept"
        )


def _serve(
    pipe: multiprocessing.connection.Connection, function: Callable
) -> None:
    """The life of a worker: ends when the pipe's other end is gone."""
    # Ctrl-C reaches the whole group; the parent alone decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while True:
            task = pipe.recv()
            try:
                result = function(task, lambda item: pipe.send((_REPORT, item)))
            except Exception as error:
                pipe.send((_ERROR, _portable(error)))
            else:
                pipe.send((_RESULT, result))
    except _GONE:
        return


def _portable(error: Exception) -> Exception:
    """The error, or one with its text where it cannot be pickled."""
    text = "".join(traceback.format_exception(error))
    try:
        error.add_note(f"In a worker:\n{text}")
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return RuntimeError(text)
