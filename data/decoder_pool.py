"""Processes of their own for what may crash or hang: decoders of files.

Each process has a pipe of its own and one item at a time, so that the right
one is blamed. Pools whose processes share a pipe cannot always tell.
"""

import collections
import concurrent.futures
import contextlib
import ctypes
import dataclasses
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator

from absl import logging

from data.rejects import Rejected
from data.user_error import UserError

# Items a process that wait for it, or are ready before their turn.
_AHEAD = 4
_TICK_S = 0.25
# Losses before the job ends; an item that crashes costs two.
_MIN_LOSSES, _LOSSES_AN_ITEM = 20, 0.2
# Of glibc's mallopt.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_FROM_OUTSIDE = {signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT}

Item = tuple[str, Callable[[], object]]
"""A name, for messages, and a picklable call that reads the item."""


class GivenUp(Rejected):
    """An item that ended its process twice, or took too long."""


class DecoderPool:
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
        # A thread for each process, which waits for it.
        self._threads = concurrent.futures.ThreadPoolExecutor(self._workers)
        self._process_of: dict[int, _Process] = {}
        self._items = self._losses = 0
        self._end: Exception | None = None

    def __reduce__(self):
        return DecoderPool, (self._workers, self._timeout_s)

    def __enter__(self) -> "DecoderPool":
        return self

    def __exit__(self, *error) -> None:
        self._end = concurrent.futures.CancelledError()
        for _ in range(2):  # One may just be starting: until threads end.
            for process in list(self._process_of.values()):
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
            except _Lost as error:
                lost = error
            self._count(lost, name)
            if lost.is_certain:
                break
        logging.warning("%s is left out: %s", name, lost.given_up)
        return lost.given_up

    def _process(self) -> "_Process":
        """That of this thread, a new one where it has lost its last one."""
        thread = threading.get_ident()
        process = self._process_of.get(thread)
        if process is None or process.is_over:
            self._go_on()
            process = self._process_of[thread] = _Process()
        self._go_on()
        return process

    def _go_on(self) -> None:
        if self._end:
            raise self._end

    def _count(self, lost: "_Lost", name: str) -> None:
        """Ends the job where going on would not help."""
        self._go_on()
        logging.warning("a worker process %s at %s", lost.what, name)
        self._losses += 1
        limit = max(_MIN_LOSSES, _LOSSES_AN_ITEM * self._items)
        if lost.ends_job or self._timeout_s is None or self._losses > limit:
            self._end = UserError(
                f"a worker process {lost.what} at {name}: {lost.remedy} and "
                "run again; what is finished is kept"
            )
            raise self._end


@dataclasses.dataclass(eq=False)
class _Lost(Exception):
    """A process that died or hangs.

    Attributes:
      what: it did.
      given_up: what to tell of its item, if that is left out.
      remedy: to tell, if the job ends.
      is_certain: whether another try would be no use.
      ends_job: whether this was not the item's doing.
    """

    what: str
    given_up: GivenUp
    remedy: str = "take that file away"
    is_certain: bool = False
    ends_job: bool = False


def _hangs(limit_s: float) -> _Lost:
    reason = (
        f"reading it took longer than --item_timeout_seconds={limit_s:g}: "
        "raise that flag and write to another --output, or take it away"
    )
    return _Lost("hangs", GivenUp("timed_out", reason), is_certain=True)


def _died(exit_code: int) -> _Lost:
    how, guess, remedy = f"exit code {exit_code}", "", "see the lines above"
    if exit_code < 0:
        how, remedy = signal.Signals(-exit_code).name, "take that file away"
    if exit_code == -signal.SIGKILL:
        guess, remedy = ", out of memory?", "out of memory? lower --workers"
    reason = (
        f"reading it ended its process twice ({how}{guess}): convert it with "
        "another program, or take it away"
    )
    return _Lost(
        f"died ({how})",
        GivenUp("crashed", reason),
        remedy,
        ends_job=exit_code >= 0 or -exit_code in _FROM_OUTSIDE,
    )


class _Process:
    """A fresh process, which imports no more than what its calls need."""

    # A start looks at all processes, as no two threads may at the same time.
    _lock = threading.Lock()

    def __init__(self):
        # Not forked: a fork of a process that runs TensorFlow can hang.
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(other,), daemon=True
        )
        with self._lock:
            self._process.start()
        other.close()
        self.is_over = False

    def call(
        self, call: Callable[[], object], timeout_s: float | None
    ) -> object:
        """What the call returns; a `Rejected` that it raises is returned too.

        Raises:
          _Lost: the process died, or was ended since it took too long.
          Exception: any other that the call raised.
        """
        try:
            self._pipe.send(call)
            self._pipe.recv()  # All is imported: its time begins.
            waited_s, tick_s = 0.0, min(_TICK_S, timeout_s or _TICK_S)
            # In ticks: while this process is stopped, the other one is too.
            while not self._pipe.poll(tick_s):
                waited_s += tick_s
                if timeout_s and waited_s >= timeout_s:
                    self.kill()
                    raise _hangs(timeout_s)
            result, error = self._pipe.recv()
        except (EOFError, ConnectionError):
            self.kill(after_s=10)
            raise _died(self._process.exitcode) from None
        if error:
            raise error
        return result

    def kill(self, after_s: float = 0) -> None:
        """Ends it, if it does not end by itself before."""
        with self._lock:
            self._process.join(after_s)
            self._process.kill()  # A decoder that hangs may not hear less.
            self._process.join()
        self.is_over = True


def _serve(pipe: multiprocessing.connection.Connection) -> None:
    """The life of a process: ends when the pipe's other end is gone."""
    # Ctrl-C reaches the whole group; the parent alone decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(OSError):  # Linux, for want of memory: me first.
        pathlib.Path("/proc/self/oom_score_adj").write_text("500")
    _keep_freed_memory()
    # C libraries tell stderr of each damaged place, not in which file.
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            call = pipe.recv()
            pipe.send("has it")
            pipe.send(_result_and_error(call))


def _keep_freed_memory() -> None:
    """For the next item: half of the time of a short clip goes into pages."""
    with contextlib.suppress(AttributeError):  # Not glibc.
        for option in _M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD:
            ctypes.CDLL(None).mallopt(option, 32 << 20)


def _result_and_error(call: Callable[[], object]):
    try:
        return call(), None
    except Rejected as rejected:
        return rejected, None
    except Exception as error:
        error.add_note(f"In a worker:\n{traceback.format_exc()}")
        return None, error


def _end_with_parent() -> None:
    """Also in the middle of an item that hangs."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _num_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Containers: fewer than the CPUs.
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
