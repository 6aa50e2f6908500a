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

from data.jobs.shard_jobs import MakeShards, Runner, Shards, Task
from data.run.errors import UserError
from data.run.flag_fields import option
from data.run.run_directory import RunOptions

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
class RunnerOptions(RunOptions):
    """Options of jobs that Beam can run."""

    runner: str = option(
        LOCAL,
        "what runs the job: this machine, or a runner of Apache Beam, whose "
        "workers must see all folders named here under the same paths",
        choices=RUNNERS,
        runtime_only=True,
        group="What runs the job",
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
    """What runs the jobs of some options: a pipeline of Beam for each job.

    None: this process.

    Raises:
      UserError: Beam is not installed, or refuses the options.
    """
    if options.runner == LOCAL:
        return None
    try:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise UserError(
            f"--runner={options.runner} needs Apache Beam ({error}): run "
            f"pip install '{REQUIREMENT}', or use --runner=local"
        ) from error

    def pipeline_of(flags: list[str]) -> beam.Pipeline:
        return beam.Pipeline(options=PipelineOptions(flags))

    told = io.StringIO()
    try:
        flags = [
            # One shard at a time for each process: Beam starts one a core.
            "--number_of_worker_harness_threads=1",
            *shlex.split(options.beam_options),
            f"--runner={options.runner}",
        ]
        with contextlib.redirect_stderr(told):
            pipeline_of(flags).options.get_all_options()
    # Beam's parser of options exits.
    except (ValueError, SystemExit) as error:
        *_, reason = [str(error), *told.getvalue().splitlines()]
        raise UserError(
            f"--beam_options={options.beam_options}: {reason}"
        ) from error

    def run(
        make: MakeShards, tasks: Sequence[Task], shards: Shards
    ) -> Iterator[Task]:
        """Has each task made on a worker, to which all is pickled."""
        with pipeline_of(flags) as pipeline:
            todo = pipeline | beam.Create(tasks) | beam.Reshuffle()
            todo | beam.Map(make_one, make, shards.folder)
        yield from tasks

    return run


# Beam takes annotations for classes to check, which a protocol is not.
def make_one(task, make, folder):
    """Makes the file of a task in a folder, on a worker of Beam."""
    if not folder.is_dir():
        raise UserError(
            f"{task.shard}: a worker does not see {folder}: name an --output "
            "on a file system that all workers see under the same path"
        )
    list(make([task], Shards(folder)))
