"""Small trainers, here or in a process that can be disturbed.

python -m tests.train.trainer_runs ARGUMENTS

ARGUMENTS are those of `train`, as JSON.
"""

import json
import pathlib
import sys
import time
from unittest import mock

from data.run import entry_point, run_directory, run_lock
from data.shards.dataset_info import DatasetInfo
from tests import ROOT
from tests.script_process import ScriptProcess

SEPARATION = "separation"
COMMON = {
    # Divides by 1, 2, 3 and 4 replicas.
    "batch_size": 12,
    "learning_rate": 1e-3,
    "steps": 12,
    "log_every": 4,
    "checkpoint_every": 2,
    "examples_every": 0,
}
ENCODER = {
    "comparison": "mix_vs_mix",
    "width": 0.0625,
    "embedding_dim": 7,
    "head_units": 9,
    "projection_dim": 5,
    "warmup_steps": 3,
}
SEPARATOR = {
    "crop_seconds": 0.1,
    "bottleneck": 5,
    "conv_channels": 7,
    "num_dilations": 2,
    "num_repeats": 1,
    "keep_steps": ["N=0", "mid=7"],
}


def train(
    shards: str,
    output: str,
    objectives: list[str],
    strategy: str = "default",
    devices: int = 0,
    **options,
) -> None:
    """Makes a run directory OUTPUT/<objective> for each, to its last step.

    Args:
      devices: number of logical CPUs; 0: as they are.
      options: other than those above.
    """
    import keras
    import tensorflow as tf

    from models.cnn14 import cnn14
    from train.contrastive import contrastive_config, pretraining
    from train.loop import cluster
    from train.separation import separation_config, separator_training

    if devices:
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * devices,
        )
    info = DatasetInfo.load(shards)
    for objective in objectives:
        # Names of layers as in a new process.
        keras.utils.clear_session()
        run = pathlib.Path(output) / objective
        options |= {"output": str(run), "strategy": strategy}
        if objective == SEPARATION:
            config = separation_config.SeparationConfig(
                **(COMMON | SEPARATOR | options)
            )
            trainer = separator_training.train_separator
        else:
            config = contrastive_config.ContrastiveConfig(
                objective=objective, **(COMMON | ENCODER | options)
            )
            trainer = pretraining.pretrain
        is_chief = cluster.of(strategy).is_chief
        run_directory.start(str(run), objective, config, is_chief=is_chief)
        # More blocks are of the same layers, and take longer.
        with mock.patch.object(cnn14, "NUM_BLOCKS", 2):
            trainer(config, info, run)
        run_lock.release(run)


def start(arguments: dict, **environment: str) -> ScriptProcess:
    """The same in a process of its own."""
    command = ["-m", __name__, json.dumps(arguments)]
    return ScriptProcess(command, ROOT, **environment)


def saved_step(run: pathlib.Path) -> int:
    """Step of the newest checkpoint that is complete."""
    names = [path.stem for path in run.glob("checkpoints/ckpt-*.index")]
    return max((int(name.split("-")[1]) for name in names), default=0)


def wait_for(step: int, run: pathlib.Path, *processes: ScriptProcess) -> None:
    """Until that checkpoint is there; fails where no process makes it."""
    while saved_step(run) < step:
        for process in processes:
            if process.poll() is not None:
                raise AssertionError(process.read("stderr")[-3000:])
        time.sleep(0.005)


if __name__ == "__main__":
    arguments = json.loads(sys.argv.pop())
    entry_point.run(lambda: train(**arguments))
