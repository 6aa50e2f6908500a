"""Which of several processes that train together this one is.

They are told by TF_CONFIG, or, where that is not set, by Slurm. Nothing here
needs TensorFlow, so that a run directory can be opened before it is imported.
"""

import dataclasses
import json
import os

from data.run.errors import UserError

_TF_CONFIG = "TF_CONFIG"
_SLURM_TASK, _SLURM_TASKS = "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The processes of a run.

    Attributes:
      worker: number of this one, from 0.
      num_workers: how many they are.
    """

    worker: int = 0
    num_workers: int = 1

    @property
    def is_chief(self) -> bool:
        """Whether this one writes what is written once."""
        return self.worker == 0


def of(strategy: str) -> Cluster:
    """The cluster for a value of --strategy.

    Raises:
      UserError: several processes are wanted, and none or wrong ones
        described.
    """
    if strategy != "multi_worker":
        return Cluster()
    if is_slurm():
        return Cluster(
            int(os.environ[_SLURM_TASK]), int(os.environ[_SLURM_TASKS])
        )
    text = os.environ.get(_TF_CONFIG)
    if not text:
        raise UserError(
            "--strategy=multi_worker: neither TF_CONFIG nor Slurm describes "
            "the processes: see Several devices in the README"
        )
    try:
        return _of_tf_config(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"TF_CONFIG={text} is not understood ({error!r}): it should be "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": '
            '"worker", "index": 0}}, with an index for each process'
        ) from error


def is_slurm() -> bool:
    """Whether Slurm describes the processes."""
    # A batch script that starts none by srun knows no number of tasks.
    wanted = {_SLURM_TASK, _SLURM_TASKS}
    return _TF_CONFIG not in os.environ and wanted <= os.environ.keys()


def _of_tf_config(config: dict) -> Cluster:
    jobs, task = config["cluster"], config["task"]
    # The chief, where there is one, comes first.
    order = [
        (job, index)
        for job in ("chief", "worker")
        for index in range(len(jobs.get(job, ())))
    ]
    others = set(jobs) - {"chief", "worker"}
    if others:
        raise ValueError(f"no job {others.pop()!r} can train here")
    return Cluster(order.index((task["type"], int(task["index"]))), len(order))
