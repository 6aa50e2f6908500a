"""Contrastive pretraining as one call."""

import pathlib

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from data import processor_files
from data.atomic_write import atomic_path
from data.dataset_info import DatasetInfo
from data.encoder_files import MODEL_FILE
from data.record_index import RecordIndex
from data.user_error import UserError
from models.embedding_model import EmbeddingModel
from models.separation.separator import Separator
from train import initial_encoder, training_loop, view_pipeline
from train.contrastive_config import ContrastiveConfig
from train.contrastive_learner import ContrastiveLearner
from train.on_the_fly_separation import OnTheFlyViews
from train.view_pipeline import ViewSpec


def pretrain(
    config: ContrastiveConfig, info: DatasetInfo, folder: pathlib.Path
) -> pathlib.Path:
    """Trains to `config.steps` and writes the embedding model.

    Returns:
      Path of the embedding model, written when training is complete.

    Raises:
      UserError: the flags do not go with the shards, the separator or the
        initial encoder, or the loss diverges.
    """
    training_loop.prepare(config)
    try:
        embedding_model = EmbeddingModel(
            sample_rate_hz=info.sample_rate_hz,
            embedding_dim=config.embedding_dim,
            width=config.width,
            hidden_layer=config.hidden_layer,
            dropout=config.dropout,
            frontend=config.frontend,
            hidden_dropout=config.hidden_dropout,
        )
    except ValueError as error:
        raise UserError(str(error)) from error
    # A run that goes on has weights of its own.
    if config.initial_encoder and not training_loop.last_step(folder):
        initial_encoder.copy_weights(config.initial_encoder, embedding_model)
    separators = _load_separators(config, info)
    learner = ContrastiveLearner(embedding_model, config)
    spec = _view_spec(config, info, learner, separators)
    if separators:
        learner.make_views = OnTheFlyViews(list(separators.values()), spec)
    learner.optimizer = training_loop.make_optimizer(config)
    logging.info(
        "CNN14 with %.2f M parameters; %s, %s, processors: %s",
        embedding_model.count_params() / 1e6,
        config.comparison,
        config.objective,
        ", ".join(spec.processors) or "none",
    )

    index = RecordIndex.of(info, info.training_splits(config.splits))

    def make_dataset(step: int) -> tf.data.Dataset:
        if not separators:
            return view_pipeline.batches_from_channels(
                index, spec, config.batch_size, config.seed, step
            )
        return view_pipeline.batches_of_clips(
            index,
            spec,
            round(config.clip_seconds * info.sample_rate_hz),
            config.batch_size,
            config.seed,
            step,
        )

    training_loop.train(learner, make_dataset, config, folder, index)
    with atomic_path(folder / MODEL_FILE) as beside:
        embedding_model.save(beside)
    return folder / MODEL_FILE


def is_finished(config: ContrastiveConfig, folder: pathlib.Path) -> bool:
    """Whether the run has its model, trained for as long as is asked."""
    finished = (folder / MODEL_FILE).exists()
    return finished and training_loop.last_step(folder) >= config.steps


def _load_separators(
    config: ContrastiveConfig, info: DatasetInfo
) -> dict[str, Separator]:
    """Separators by processor name; none where the shards carry channels."""
    if not config.separator or config.comparison == "mix_vs_mix":
        return {}
    files = processor_files.find(config.separator, config.processors)
    separators = {}
    for name, file in files.items():
        separators[name] = keras.saving.load_model(file)
        rate = separators[name].sample_rate_hz
        if rate != info.sample_rate_hz:
            raise UserError(
                f"{file} is for {rate} Hz, {config.shards} has "
                f"{info.sample_rate_hz} Hz: write the shards with "
                f"--sample_rate_hz={rate}"
            )
    return separators


def _view_spec(
    config: ContrastiveConfig,
    info: DatasetInfo,
    learner: ContrastiveLearner,
    separators: dict[str, Separator],
) -> ViewSpec:
    if config.comparison == "mix_vs_mix":
        processors, num_channels = (), 0
    elif separators:
        processors = tuple(separators)
        num_channels = next(iter(separators.values())).num_sources
    else:
        processors = config.processors or info.processors
        num_channels = info.num_channels
        missing = sorted(set(processors) - set(info.processors))
        if missing or not processors:
            has = ", ".join(info.processors) or "none"
            raise UserError(
                f"{config.shards} has no channels of "
                f"{', '.join(missing) or 'any processor'} (it has {has}): "
                "make them with train/separate_shards.py, or name a "
                "--separator to separate on the fly"
            )
    augment = learner.spec_augment
    whole_clip = np.iinfo(np.int32).max // 2
    return ViewSpec(
        comparison=config.comparison,
        processors=processors,
        num_channels=num_channels,
        view_samples=learner.embedding_model.window_samples,
        max_offset_samples=(
            round(config.tp_max_offset * info.sample_rate_hz) or whole_clip
        ),
        silence_db=config.silence_db,
        augment_draws=augment.num_draws if augment else 0,
        triplet_patch=learner.triplet_patch,
    )
