"""A piece of work, and the process that stands ready with it.

  python -m tests.bench.work MODULE:FUNCTION ARGUMENTS FOLDER NAME TURN_S

calls the function with ARGUMENTS (a JSON object) and, for a peer, what ours
has left in FOLDER. It writes the answer to FOLDER/NAME.npz, then does a turn
for each line that it reads. Python and NumPy are all that this needs: ours
and peers run in environments of their own.
"""

import importlib
import json
import os
import pathlib
import re
import sys
import timeit
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

GIVEN = "given.npz"
_MARK = "bench: "
_VERSIONED = (
    "tensorflow",
    "keras",
    "torch",
    "torchlibrosa",
    "pytorch_metric_learning",
    "numpy",
    "scipy",
    "sklearn",
    "faiss",
    "usearch",
    "soundfile",
    "soxr",
)


class Work(NamedTuple):
    """What is timed, and what it is known by.

    Attributes:
      turn: does it once.
      answer: arrays that ours and a peer's must agree on; None: they are what
        a turn returns.
      given: weights and inputs that ours hands to its peers.
      multiply_adds: of a turn; 0: not counted.
    """

    turn: Callable[[], object]
    answer: Mapping[str, np.ndarray] | None = None
    given: Mapping[str, np.ndarray] = {}
    multiply_adds: float = 0


def serve(
    target: str, arguments: dict, folder: pathlib.Path, name: str, turn_s: float
) -> None:
    """The life of such a process.

    It tells, in lines of JSON, that it is ready; then for each turn the
    seconds that the work took, a mean where it is short of `turn_s`, and the
    memory that it added to what the process had before.
    """
    module, function = target.split(":")
    make = getattr(importlib.import_module(module), function)
    if is_peer := ".peers." in module:
        arguments = arguments | {"given": read(folder / GIVEN)}
    work = make(**arguments)
    if not is_peer:
        np.savez(folder / GIVEN, **work.given)
    work = work._replace(given={})
    before = _megabytes("VmRSS")
    _forget_peak()
    first = work.turn()
    answer = first if work.answer is None else work.answer
    np.savez(folder / f"{name}.npz", **answer)
    del first, answer
    _say(
        {
            "multiply_adds": work.multiply_adds,
            "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS"),
            "versions": _versions(),
        }
    )
    repeats = 1
    for _ in sys.stdin:
        seconds = timeit.timeit(work.turn, number=repeats) / repeats
        repeats = max(1, round(turn_s / seconds))
        _say({"seconds": seconds, "megabytes": _megabytes("VmHWM") - before})


def heard(line: str) -> dict | None:
    """What `serve` told in a line, if it was that."""
    return json.loads(line[len(_MARK) :]) if line.startswith(_MARK) else None


def read(file: pathlib.Path) -> dict[str, np.ndarray]:
    with np.load(file) as arrays:
        return dict(arrays)


def _say(what: dict) -> None:
    # Others may have left a line unfinished.
    sys.__stdout__.write(f"\n{_MARK}{json.dumps(what)}\n")
    sys.__stdout__.flush()


def _versions() -> dict[str, str]:
    return {
        name: sys.modules[name].__version__
        for name in _VERSIONED
        if name in sys.modules
    }


def _forget_peak() -> None:
    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass  # The peak is that of the whole process then.


def _megabytes(field: str) -> float:
    status = pathlib.Path("/proc/self/status")
    if not status.exists():
        return 0.0
    found = re.search(rf"{field}:\s+(\d+) kB", status.read_text())
    return int(found[1]) / 1024


if __name__ == "__main__":
    serve(
        sys.argv[1],
        json.loads(sys.argv[2]),
        pathlib.Path(sys.argv[3]),
        sys.argv[4],
        float(sys.argv[5]),
    )
