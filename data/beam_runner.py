"""Runs the tasks of a job on Apache Beam: Dataflow, Flink, Spark and others.

Shards and accounts go to the job's folder as ever, so it must lie on a file
system that all workers see under the same path, as must the recordings; and
the workers must be able to import this project. Each thread of a worker
isolates decoders in a child process of its own.
"""

import contextlib
import io
import os
import pathlib
import pickle
import shlex
import threading
from collections.abc import Callable, Iterator, Sequence

from data.job_runner import InProcess
from data.user_error import UserError
from data.worker_pool import Isolation, Report, WorkerPool

REQUIREMENT = "apache-beam>=2.60,<3"

_this_thread = threading.local()


class BeamRunner:
    """One pipeline a job.

    Args:
      runner: Beam's name of it, e.g. "DataflowRunner".
      options: command line options for Beam, separated by blanks.

    Raises:
      UserError: Beam is not installed, or refuses the options.
    """

    def __init__(self, runner: str, options: str = ""):
        try:
            import apache_beam  # noqa: F401
        except ImportError as error:
            raise UserError(
                f"--runner={runner} needs Apache Beam ({error}): run "
                f"pip install '{REQUIREMENT}', or use --runner=local"
            ) from error
        told = io.StringIO()
        try:
            self._flags = [
                # One shard at a time for each process: Beam starts one a core.
                "--number_of_worker_harness_threads=1",
                *shlex.split(options),
                f"--runner={runner}",
            ]
            with contextlib.redirect_stderr(told):
                self._pipeline().options.get_all_options()
        # Beam's parser of options exits.
        except (ValueError, SystemExit) as error:
            *_, reason = [str(error), *told.getvalue().splitlines()]
            raise UserError(f"--beam_options={options}: {reason}") from error

    def run(
        self,
        function: Callable[[object, Report], None],
        tasks: Sequence[object],
        names: Sequence[str],
        on_report: Callable[[int, int], None],
        folder: os.PathLike,
        isolation: Isolation | None = None,
    ) -> Iterator[tuple[int, None]]:
        """As `WorkerPool.run`, but yields only when all is done, no results.

        Tasks wait in files in the folder, since the description of a pipeline
        may not be large. `on_report` is not called.
        """
        import apache_beam as beam

        files = []
        for number, task in enumerate(tasks):
            file = pathlib.Path(folder) / f".writing-task-{number}"
            file.write_bytes(pickle.dumps(task))
            files.append(str(file))
        with self._pipeline() as pipeline:
            (
                pipeline
                | beam.Create(list(zip(files, names, strict=True)))
                | beam.Reshuffle()
                | beam.Map(run_task, function, isolation)
            )
        yield from ((number, None) for number in range(len(tasks)))

    def _pipeline(self):
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions

        return beam.Pipeline(options=PipelineOptions(self._flags))


def run_task(
    file_and_name: tuple[str, str],
    function: Callable[[object, Report], None],
    isolation: Isolation | None,
) -> None:
    """Runs the pickled task of a file, on a worker of Beam."""
    file, name = file_and_name
    folder = pathlib.Path(file).parent
    try:
        task = pickle.loads(pathlib.Path(file).read_bytes())
    except FileNotFoundError as error:
        raise UserError(
            f"{name}: a worker does not see {folder}: name an --output on a "
            "file system that all workers see under the same path"
        ) from error
    runner = InProcess()
    if isolation:
        if not hasattr(_this_thread, "pool"):
            _this_thread.pool = WorkerPool(1, keep=True)
        runner = _this_thread.pool
    for _ in runner.run(
        function, [task], [name], lambda *_: None, folder, isolation
    ):
        pass
