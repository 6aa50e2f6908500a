"""Separator training as one call."""

import pathlib

from absl import logging

from data.atomic_write import atomic_path
from data.dataset_info import DatasetInfo
from data.processor_files import processor_path
from data.record_index import RecordIndex
from data.user_error import UserError
from models.separation.separator import Separator
from train import training_loop
from train.mixture_pipeline import batches_of_pairs
from train.separation_config import SeparationConfig
from train.separation_learner import SeparationLearner


def train_separator(
    config: SeparationConfig, info: DatasetInfo, folder: pathlib.Path
) -> None:
    """Trains to `config.steps` and keeps the processors it names.

    Raises:
      UserError: the flags do not make a network, or the loss diverges.
    """
    training_loop.prepare(config)
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
    learner = SeparationLearner(
        separator, config.max_snr_db, config.mixit_search
    )
    learner.optimizer = training_loop.make_optimizer(config)
    crop_samples = round(config.crop_seconds * info.sample_rate_hz)
    logging.info("TDCN++ with %d parameters", separator.count_params())

    index = RecordIndex.of(info, info.training_splits(config.splits))

    def make_dataset(step):
        return batches_of_pairs(
            index, crop_samples, config.batch_size, config.seed, step
        )

    names = {step: name for name, step in config.processors().items()}

    def keep(step):
        if step in names:
            with atomic_path(processor_path(folder, names[step])) as beside:
                separator.save(beside)

    training_loop.train(learner, make_dataset, config, folder, index, keep)
