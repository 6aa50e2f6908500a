"""Options of jobs that Apache Beam can run."""

import dataclasses

from data.flag_fields import option

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
    """What runs a job; see `job_runner.choose`."""

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
