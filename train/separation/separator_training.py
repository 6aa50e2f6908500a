"""Separator training as one call."""

import pathlib

from absl import logging

from data.run.atomic_write import atomic_path
from data.run.errors import UserError
from data.run.processor_files import processor_path
from data.shards.dataset_info import DatasetInfo
from data.shards.record_index import RecordIndex
from models.separation.separator import Separator
from train.loop import training_loop
from train.loop.optimizers import make_optimizer
from train.separation.examples import SeparationExamples
from train.separation.learner import SeparationLearner
from train.separation.mixture_pipeline import batches_of_pairs, check_pairs
from train.separation.separation_config import SeparationConfig


@training_loop.tells_of_lost_processes
def train_separator(
    config: SeparationConfig, info: DatasetInfo, folder: pathlib.Path
) -> None:
    """Trains to `config.steps` and keeps the processors it names.

    Raises:
      UserError: the flags do not make a network, there is nothing to train
        on, or the loss diverges.
    """
    index = RecordIndex.of(info, info.training_splits(config.splits))
    check_pairs(index)
    strategy = training_loop.prepare(config)
    with strategy.scope():
        try:
            separator = Separator(
                num_sources=config.num_sources,
                sample_rate_hz=info.sample_rate_hz,
                basis=config.basis,
                bottleneck=config.bottleneck,
                conv_channels=config.conv_channels,
                num_dilations=config.num_dilations,
                num_repeats=config.num_repeats,
                consistency=config.consistency,
            )
        except ValueError as error:
            raise UserError(str(error)) from error
        learner = SeparationLearner(separator, config)
        learner.optimizer = make_optimizer(config, learner)
    logging.info("TDCN++ with %d parameters", separator.count_params())
    crop_samples = round(config.crop_seconds * info.sample_rate_hz)

    def make_dataset(step, context=None):
        return batches_of_pairs(
            index, crop_samples, config.batch_size, config.seed, step, context
        )

    names = {step: name for name, step in config.processors().items()}

    def keep(step):
        if step in names:
            with atomic_path(processor_path(folder, names[step])) as beside:
                separator.save(beside)

    examples = SeparationExamples(
        separator, make_dataset, config.examples_every
    )
    training_loop.train(
        strategy,
        learner,
        make_dataset,
        config,
        folder,
        index,
        [keep, examples],
    )
