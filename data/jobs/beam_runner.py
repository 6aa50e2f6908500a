"""Runs jobs on Apache Beam: Dataflow, Flink, Spark and others.

Shards and accounts go to the job's folder as ever, so it must lie on a file
system that all workers see under the same path, as must the recordings; and
the workers must be able to import this project.
"""

import contextlib
import dataclasses
import functools
import io
import shlex
from collections.abc import Iterator, Sequence

from data.jobs.shard_jobs import MakeShards, Runner, Shards, Task
from data.run.errors import UserError
from data.run.flag_fields import option

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
      UserError: see `on_beam`.
    """
    if options.runner == LOCAL:
        return None
    return on_beam(options.runner, options.beam_options)


def on_beam(name: str, options: str = "") -> Runner:
    """A runner of Beam, which makes a pipeline of each job.

    Args:
      name: Beam's, e.g. "DataflowRunner".
      options: command line options for Beam, separated by blanks.

    Raises:
      UserError: Beam is not installed, or refuses the options.
    """
    try:
        import apache_beam  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"--runner={name} needs Apache Beam ({error}): run "
            f"pip install '{REQUIREMENT}', or use --runner=local"
        ) from error
    told = io.StringIO()
    try:
        flags = [
            # One shard at a time for each process: Beam starts one a core.
            "--number_of_worker_harness_threads=1",
            *shlex.split(options),
            f"--runner={name}",
        ]
        with contextlib.redirect_stderr(told):
            _pipeline(flags).options.get_all_options()
    # Beam's parser of options exits.
    except (ValueError, SystemExit) as error:
        *_, reason = [str(error), *told.getvalue().splitlines()]
        raise UserError(f"--beam_options={options}: {reason}") from error
    return functools.partial(_run, flags)


def _run(
    flags: Sequence[str],
    make: MakeShards,
    tasks: Sequence[Task],
    shards: Shards,
) -> Iterator[Task]:
    """Calls `make` on workers, to which all is pickled, one task at a time."""
    import apache_beam as beam

    with _pipeline(flags) as pipeline:
        (
            pipeline
            | beam.Create(tasks)
            | beam.Reshuffle()
            | beam.Map(make_one, make, shards.folder)
        )
    yield from tasks


def _pipeline(flags: Sequence[str]):
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    return beam.Pipeline(options=PipelineOptions(flags))


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
