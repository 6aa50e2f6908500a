"""What runs the tasks of a job: this process, worker processes, or Beam."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from data.runner_options import LOCAL, RunnerOptions
from data.worker_pool import Isolation, Report


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


def choose(options: RunnerOptions, local: Runner | None) -> Runner | None:
    """The runner that flags name; `local` where they name none of Beam's.

    Raises:
      UserError: Apache Beam is needed and not installed, or refuses them.
    """
    if options.runner == LOCAL:
        return local
    from data.beam_runner import BeamRunner

    return BeamRunner(options.runner, options.beam_options)
