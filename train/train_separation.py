"""Trains a TDCN++ separator with MixIT on unlabeled shards.

Two clips are added, the network splits the sum into M channels, and each
channel is credited to the clip it fits best. The networks at the steps that
--keep_steps names are kept as audio processors; step 0 is the untrained one.

  python train/train_separation.py --shards=SHARDS --output=RUN \\
      --steps=5000 --keep_steps=N=0,F=500,S1=5000

RUN then holds processors/<name>.keras, history.csv, checkpoints to resume
from, and, where clips carry their stems, metrics.json with the SI-SDR
improvement of each processor. The same command again goes on where it was.
"""

import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from absl import logging

from data.run import entry_point, flag_fields, run_directory
from data.run.processor_files import STAGE, processor_path
from data.shards.dataset_info import DatasetInfo
from train.loop import cluster
from train.separation import finished
from train.separation.separation_config import SeparationConfig


def main() -> None:
    config = flag_fields.read(SeparationConfig)
    info = DatasetInfo.load(config.shards)
    info.training_splits(config.splits)  # There is something to train on.
    is_chief = cluster.of(config.strategy).is_chief

    splits = info.training_splits(config.splits)
    inputs = {"shards": info.sound_sha256(splits)}
    folder = run_directory.start(config.output, STAGE, config, inputs, is_chief)
    if finished.is_finished(config, info, folder):
        logging.info("%s is finished: nothing to do", folder)
    else:
        from train.separation import quality, separator_training

        separator_training.train_separator(config, info, folder)
        if is_chief and not finished.is_measured(config, info, folder):
            quality.measure(config, info, folder)
    kept = [str(processor_path(folder, n)) for n in config.processors()]
    logging.info("Processors: %s", ", ".join(kept))
    print(folder)


if __name__ == "__main__":
    flag_fields.define(SeparationConfig)
    entry_point.run(main)
