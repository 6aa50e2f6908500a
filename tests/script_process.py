"""Runs our programs in processes that have TensorFlow imported already.

Each is forked from a server that has imported TensorFlow and Keras, and
nothing of ours: importing them anew costs 5 s of a core, more than most of the
runs do. They end without what `atexit` would call.
"""

import multiprocessing
import os
import pathlib
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Sequence

from tests import ROOT

FORK_SERVER = multiprocessing.get_context("forkserver")
FORK_SERVER.set_forkserver_preload(["tests.preload"])


class ScriptProcess:
    """`python SCRIPT FLAGS` in a session of its own, as `subprocess.Popen`.

    Args:
      command: path of a script, or "-m" and a module; then its arguments.
      folder: to run in.
      environment: variables other than those of this process.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: str | os.PathLike,
        **environment: str,
    ):
        self._output = tempfile.mkdtemp()
        weakref.finalize(self, shutil.rmtree, self._output)
        self._process = FORK_SERVER.Process(
            target=_become,
            args=(
                [os.fspath(part) for part in command],
                os.fspath(folder),
                os.environ | environment,
                self._output,
            ),
        )
        self._process.start()
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, within_s: float | None = None) -> int | None:
        """Exit code; None where it does not end in time."""
        self._process.join(within_s)
        return self._process.exitcode

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def read(self, stream: str) -> str:
        """What it has written so far to "stdout" or "stderr"."""
        return pathlib.Path(self._output, stream).read_text()


def run(
    command: Sequence[str], folder: str | os.PathLike
) -> subprocess.CompletedProcess:
    """Runs one to its end, see `ScriptProcess`."""
    process = ScriptProcess(command, folder)
    return subprocess.CompletedProcess(
        command, process.wait(), process.read("stdout"), process.read("stderr")
    )


def _become(command, folder, environment, output) -> None:
    """What the forked process does."""
    os.setsid()
    for number, stream in ((1, "stdout"), (2, "stderr")):
        file = os.open(os.path.join(output, stream), os.O_CREAT | os.O_WRONLY)
        os.dup2(file, number)
    os.environ.clear()
    os.environ |= environment
    os.chdir(folder)
    sys.argv = command
    # As Python would have it: a script finds us by itself, or not at all.
    here = [path for path in sys.path if path not in ("", str(ROOT))]
    if command[0] == "-m":
        sys.argv = command[1:]
        sys.path[:] = [folder, *here]
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.path[:] = [os.path.dirname(command[0]), *here]
        runpy.run_path(command[0], run_name="__main__")
