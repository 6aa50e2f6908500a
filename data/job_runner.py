"""What runs the tasks of a job: this process, worker processes, or Beam."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from data.worker_pool import Isolation, Report, WorkerPool

LOCAL = "local"
RUNNERS = (
    LOCAL,
    "DirectRunner",
    "PrismRunner",
    "DataflowRunner",
    "FlinkRunner",
    "SparkRunner",
)


class Runner(Protocol):
    """Maps a function over tasks; see `run` of `WorkerPool`."""

    def run(
        self,
        function: Callable[[object, Report], object],
        tasks: Sequence[object],
        names: Sequence[str],
        on_report: Callable[[int, int], None],
        folder: os.PathLike | None = None,
        isolation: Isolation | None = None,
    ) -> Iterator[tuple[int, object]]: ...


class InProcess:
    """Runs all tasks right here, one after the other, nothing isolated.

    For functions that use every core by themselves, or that no other process
    could import.
    """

    def run(
        self, function, tasks, names, on_report, folder=None, isolation=None
    ) -> Iterator[tuple[int, object]]:
        for number, task in enumerate(tasks):
            reported = 0

            def report(item: str, number: int = number) -> None:
                nonlocal reported
                if item:
                    reported += 1
                    on_report(number, reported)

            yield number, function(task, report)


def choose(runner: str, workers: int = 0, beam_options: str = "") -> Runner:
    """The runner that flags name.

    Args:
      runner: one of `RUNNERS`.
      workers: processes of the local one; 0: one a core.
      beam_options: command line options for the others.

    Raises:
      UserError: Apache Beam is needed and not installed, or refuses them.
    """
    if runner == LOCAL:
        return WorkerPool(workers)
    from data.beam_runner import BeamRunner

    return BeamRunner(runner, beam_options)
