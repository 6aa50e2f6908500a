"""Runs jobs on Apache Beam: Dataflow, Flink, Spark and others.

Shards and accounts go to the job's folder as ever, so it must lie on a file
system that all workers see under the same path, as must the recordings; and
the workers must be able to import this project.
"""

import contextlib
import dataclasses
import io
import shlex
from collections.abc import Iterator, Sequence

from data.flag_fields import option
from data.shard_jobs import MakeShards, Runner, Shards, Task
from data.user_error import UserError

REQUIREMENT = "apache-beam>=2.60,<3"

LOCAL = "local"
RUNNERS = (
    LOCAL,
    "DirectRunner",
    "PrismRunner",
    "DataflowRunner",
    "FlinkRunner",
    "SparkRunner",
)


@dataclasses.dataclass(frozen=True)
class RunnerOptions:
    """Options of jobs that Beam can run."""

    runner: str = option(
        LOCAL,
        "what runs the job: this machine, or a runner of Apache Beam, whose "
        "workers must see all folders named here under the same paths",
        choices=RUNNERS,
        runtime_only=True,
    )
    beam_options: str = option(
        "",
        'options for Beam, e.g. "--project=mine --region=europe-west1"',
        runtime_only=True,
    )

    def __post_init__(self) -> None:
        if self.beam_options and self.runner == LOCAL:
            raise ValueError(
                "--beam_options goes with another --runner than local"
            )


def choose(options: RunnerOptions) -> Runner | None:
    """What runs the jobs of some options; None: this process.

    Raises:
      UserError: see `BeamRunner`.
    """
    if options.runner == LOCAL:
        return None
    return BeamRunner(options.runner, options.beam_options).run


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
        self, make: MakeShards, tasks: Sequence[Task], shards: Shards
    ) -> Iterator[Task]:
        """Calls `make`, on Beam's workers, for one task at a time.

        All of it is pickled. The tasks are yielded when the last one is done.
        """
        import apache_beam as beam

        with self._pipeline() as pipeline:
            (
                pipeline
                | beam.Create(tasks)
                | beam.Reshuffle()
                | beam.Map(make_one, make, shards.folder)
            )
        yield from tasks

    def _pipeline(self):
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions

        return beam.Pipeline(options=PipelineOptions(self._flags))


# Beam takes annotations for classes to check, which a protocol is not.
def make_one(task, make, folder):
    """Makes the file of a task in a folder, on a worker of Beam."""
    if not folder.is_dir():
        raise UserError(
            f"{task.shard}: a worker does not see {folder}: name an --output "
            "on a file system that all workers see under the same path"
        )
    for _ in make([task], Shards(folder)):
        pass
