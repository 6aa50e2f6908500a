"""Trains every objective on some devices; run by distribution_test.

python -m tests.train.loop.distributed_run SHARDS OUTPUT STRATEGY DEVICES \\
  [CHANGES]

It makes a run directory OUTPUT/<objective> for each. DEVICES is the number of
logical CPUs of this process, CHANGES is JSON: {"objectives": [...], and
options of all runs}.
"""

import json
import pathlib
import sys

from data.run import environment

environment.prepare(trains=True)

import tensorflow as tf  # noqa: E402

from data.run import entry_point, run_directory  # noqa: E402
from data.shards.dataset_info import DatasetInfo  # noqa: E402
from train.contrastive import pretraining  # noqa: E402
from train.contrastive.contrastive_config import (  # noqa: E402
    OBJECTIVES,
    ContrastiveConfig,
)
from train.loop import cluster  # noqa: E402
from train.separation import separator_training  # noqa: E402
from train.separation.separation_config import SeparationConfig  # noqa: E402

SEPARATION = "separation"
# Divides by 1, 2, 3 and 4 replicas.
BATCH_SIZE = 12
STEPS = 10


def contrastive_config(objective: str, **options) -> ContrastiveConfig:
    return ContrastiveConfig(
        objective=objective,
        **{
            "comparison": "mix_vs_mix",
            "width": 0.0625,
            "embedding_dim": 7,
            "head_units": 9,
            "projection_dim": 5,
            # Masks are drawn by each replica for itself.
            "dropout": 0.0,
            # In float32 rounding decides whether a ReLU passes, and so changes
            # gradients by a hundredth, on one device as well.
            "precision": "float64",
            "learning_rate": 1e-3,
            "warmup_steps": 3,
            "steps": STEPS,
            "batch_size": BATCH_SIZE,
            "log_every": 4,
            "checkpoint_every": 5,
            **options,
        },
    )


def separation_config(**options) -> SeparationConfig:
    return SeparationConfig(
        **{
            "crop_seconds": 0.1,
            "bottleneck": 5,
            "conv_channels": 7,
            "num_dilations": 2,
            "num_repeats": 1,
            "keep_steps": ("N=0", f"S={STEPS}"),
            "learning_rate": 1e-3,
            "steps": STEPS,
            "batch_size": BATCH_SIZE,
            "log_every": 4,
            "checkpoint_every": 5,
            **options,
        }
    )


def main(shards, output, strategy, devices, changes="{}"):
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * int(devices),
    )
    options = json.loads(changes)
    objectives = options.pop("objectives", [*OBJECTIVES, SEPARATION])
    info = DatasetInfo.load(shards)
    is_chief = cluster.of(strategy).is_chief
    for objective in objectives:
        folder = pathlib.Path(output) / objective
        options |= {"shards": shards, "output": str(folder)}
        options["strategy"] = strategy
        if objective == SEPARATION:
            config, run = separation_config(**options), separator_training
            run = separator_training.train_separator
        else:
            config = contrastive_config(objective, **options)
            run = pretraining.pretrain
        run_directory.start(str(folder), objective, config, is_chief)
        run(config, info, folder)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    del sys.argv[1:]
    entry_point.run(lambda: main(*arguments))
