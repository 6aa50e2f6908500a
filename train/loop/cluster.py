"""Which of several processes that train together this one is.

They are told by TF_CONFIG, or, where that is not set, by Slurm. Nothing here
needs TensorFlow, so that a run directory can be opened before it is imported.
"""

import dataclasses
import json
import os

from data.run.errors import UserError

_TF_CONFIG = "TF_CONFIG"
# Number of this process, and of all.
_SLURM = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Number of this process of a run, from 0, and how many they are."""

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
        numbers = [os.environ[name] for name in _SLURM]
        if not all(map(str.isdecimal, numbers)):
            raise UserError(
                f"{'='.join((_SLURM[0], numbers[0]))}, "
                f"{'='.join((_SLURM[1], numbers[1]))}: whole numbers are "
                "wanted, as srun sets them"
            )
        return Cluster(*map(int, numbers))
    text = os.environ.get(_TF_CONFIG)
    if not text:
        raise UserError(
            "--strategy=multi_worker: neither TF_CONFIG nor Slurm describes "
            "the processes: see Several devices in the README"
        )
    try:
        config = json.loads(text)
        jobs, task = config["cluster"], config["task"]
        if others := jobs.keys() - {"chief", "worker"}:
            raise ValueError(f"no job {others.pop()!r} can train here")
        # The chief, where there is one, comes first.
        order = [
            (job, index)
            for job in ("chief", "worker")
            for index in range(len(jobs.get(job, ())))
        ]
        place = order.index((task["type"], int(task["index"])))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"TF_CONFIG={text} is not understood ({error!r}): it should be "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": '
            '"worker", "index": 0}}, with an index for each process'
        ) from error
    return Cluster(place, len(order))


def is_slurm() -> bool:
    """Whether Slurm describes the processes."""
    # A batch script that starts none by srun knows no number of tasks.
    return _TF_CONFIG not in os.environ and {*_SLURM} <= os.environ.keys()
