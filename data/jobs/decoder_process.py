"""A process of its own for what may crash or hang: decoders of files.

It has a pipe of its own and one item at a time, so that the right item is
blamed: pools whose processes share a pipe cannot always tell.
"""

import contextlib
import ctypes
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import signal
import sys
import threading
import traceback
from collections.abc import Callable

from data.run.rejects import Rejected

_TICK_S = 0.25
# Libraries that run threads as soon as they are loaded. That of NumPy does too,
# and ends them before each fork.
_RUN_THREADS = {"tensorflow", "grpc"}
_FROM_OUTSIDE = {signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT}


class TookTooLong(Exception):
    """An item did; its process has been ended."""


class Died(Exception):
    """A process ended: shown as the signal's name, or as an exit code.

    Attributes:
      is_by_item: whether it was what the process did; else somebody ended it.
      is_killed: whether the system may have wanted its memory.
    """

    def __init__(self, exit_code: int):
        super().__init__(
            signal.Signals(-exit_code).name
            if exit_code < 0
            else f"exit code {exit_code}"
        )
        self.is_by_item = exit_code < 0 and -exit_code not in _FROM_OUTSIDE
        self.is_killed = exit_code == -signal.SIGKILL


def can_fork() -> bool:
    """Whether a fork is as safe as a fresh process, and spares its imports.

    Any other thread may hold a lock, which nobody would ever let go in a fork.
    """
    runs_alone = threading.active_count() == 1
    is_light = not _RUN_THREADS & sys.modules.keys()
    return sys.platform == "linux" and runs_alone and is_light


class DecoderProcess:
    """A process forked from this one where it can be, or else a fresh one."""

    # A start looks at all processes, as no two threads may at the same time.
    _lock = threading.Lock()

    def __init__(self):
        method = "fork" if can_fork() else "spawn"
        context = multiprocessing.get_context(method)
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
          Died, TookTooLong: the process is over.
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
                    raise TookTooLong
            result, error = self._pipe.recv()
        except (EOFError, ConnectionError):
            self.kill(after_s=10)
            raise Died(self._process.exitcode) from None
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
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # Not as the parent has it.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(OSError):  # Linux, for want of memory: me first.
        pathlib.Path("/proc/self/oom_score_adj").write_text("500")
    # Freed memory is kept for the next item: half of the time of a short clip
    # goes into pages.
    with contextlib.suppress(AttributeError):  # Not glibc.
        for option in -1, -3:  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD.
            ctypes.CDLL(None).mallopt(option, 32 << 20)
    # C libraries tell stderr of each damaged place, not in which file.
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            call = pipe.recv()
            pipe.send("has it")
            pipe.send(_result_and_error(call))


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
