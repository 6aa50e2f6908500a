"""Pretrains a CNN14 encoder on pairs of views of unlabeled clips.

Views are the mixture or a channel that a separator made of it, cut at random
times (temporal proximity) and masked (SpecAugment); the objective is
similarity (NT-Xent), coincidence (BCE over all pairs), or both; or, as a
baseline without separation, triplets (with --comparison=mix_vs_mix).

  python train/pretrain_contrastive.py --shards=SEPARATED --output=RUN \\
      --processors=S2,N --comparison=mix_vs_chan --objective=joint
  python train/pretrain_contrastive.py \\
      --flagfile=train/flagfiles/table4/s2_or_f_or_n_joint.flags \\
      --shards=SEPARATED --output=RUN

Without channels in the shards, --separator=RUN_OF_TRAIN_SEPARATION separates
on the fly. RUN then holds embedding_model.keras, history.csv and checkpoints
to resume from. The same command again goes on where it was.
"""

import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from absl import logging

from data.run import entry_point, flag_fields, run_directory
from data.run.encoder_files import MODEL_FILE, STAGE
from data.shards.dataset_info import DatasetInfo
from train.contrastive import inputs
from train.contrastive.contrastive_config import ContrastiveConfig
from train.loop import cluster
from train.loop.last_step import last_step


def main() -> None:
    config = flag_fields.read(ContrastiveConfig)
    info = DatasetInfo.load(config.shards)
    info.training_splits(config.splits)  # There is something to train on.
    is_chief = cluster.of(config.strategy).is_chief

    folder = run_directory.start(
        config.output, STAGE, config, inputs.digests(config, info), is_chief
    )
    if (folder / MODEL_FILE).exists() and last_step(folder) >= config.steps:
        logging.info("%s is finished: nothing to do", folder)
    else:
        from train.contrastive import pretraining

        pretraining.pretrain(config, info, folder)
    print(folder / MODEL_FILE)


if __name__ == "__main__":
    flag_fields.define(ContrastiveConfig)
    entry_point.run(main)
