"""Contrastive pretraining as one call."""

import pathlib

import keras
import numpy as np
from absl import logging

from data.run import processor_files, saved_network
from data.run.atomic_write import atomic_path
from data.run.encoder_files import MODEL_FILE
from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo
from data.shards.record_index import RecordIndex
from models.embedding_model import EmbeddingModel
from models.separation.separator import Separator
from train.contrastive import initial_encoder, view_pipeline
from train.contrastive.contrastive_config import ContrastiveConfig
from train.contrastive.examples import ViewExamples
from train.contrastive.learner import ContrastiveLearner
from train.contrastive.on_the_fly import OnTheFlyViews
from train.contrastive.probe_curve import ProbeCurve
from train.contrastive.snapshots import Snapshots
from train.contrastive.view_pipeline import ViewSpec
from train.loop import cluster, training_loop
from train.loop.distribution import synchronize_batch_norms
from train.loop.last_step import last_step
from train.loop.optimizers import make_optimizer
from train.separation.channel_writer import common_channels


@training_loop.tells_of_lost_processes
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
    index = RecordIndex.of(info, info.training_splits(config.splits))
    strategy = training_loop.prepare(config)
    with strategy.scope():
        learner, spec = _make_learner(config, info)
        embedding_model = learner.embedding_model
        # A run that goes on has weights of its own.
        if config.initial_encoder and not last_step(folder):
            initial_encoder.copy_weights(
                config.initial_encoder, embedding_model
            )
        learner.optimizer = make_optimizer(config, learner)
    synchronize_batch_norms(embedding_model.encoder, strategy)
    logging.info(
        "CNN14 with %.2f M parameters; %s, %s, processors: %s",
        embedding_model.count_params() / 1e6,
        config.comparison,
        config.objective,
        ", ".join(spec.processors) or "none",
    )
    clip_samples = None
    if learner.make_views is not None:
        clip_samples = round(config.clip_seconds * info.sample_rate_hz)

    def make_dataset(step, context=None):
        return view_pipeline.batches(
            index,
            spec,
            config.batch_size,
            config.seed,
            step,
            context,
            clip_samples,
        )

    is_chief = cluster.of(config.strategy).is_chief
    snapshots = Snapshots(folder, embedding_model, config.snapshots())
    examples = ViewExamples(
        learner, make_dataset, config.examples_every, config.seed
    )
    with ProbeCurve(
        config, folder, snapshots, last_step(folder), is_chief
    ) as probes:
        training_loop.train(
            strategy,
            learner,
            make_dataset,
            config,
            folder,
            index,
            [snapshots, examples, probes],
        )
    if is_chief:
        with atomic_path(folder / MODEL_FILE) as beside:
            embedding_model.save(beside)
    return folder / MODEL_FILE


def _make_learner(
    config: ContrastiveConfig, info: DatasetInfo
) -> tuple[ContrastiveLearner, ViewSpec]:
    """The learner, and how the views of its batches are taken."""
    separators = {}  # Where the shards carry the channels.
    if config.separator and config.comparison != "mix_vs_mix":
        files = processor_files.find(config.separator, config.processors)
        separators = {
            name: saved_network.load(file, Separator)
            for name, file in files.items()
        }
    processors, num_channels = _processors(config, info, separators)
    # To load draws random numbers, and weights depend on the seed alone.
    keras.utils.set_random_seed(config.seed)
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
    learner = ContrastiveLearner(embedding_model, config)
    spec = _view_spec(learner, info, processors, num_channels)
    if separators:
        learner.make_views = OnTheFlyViews([*separators.values()], spec)
    return learner, spec


def _processors(
    config: ContrastiveConfig,
    info: DatasetInfo,
    separators: dict[str, Separator],
) -> tuple[tuple[str, ...], int]:
    """Names of those whose channels are views, and their channels."""
    if config.comparison == "mix_vs_mix":
        return (), 0
    if separators:
        return tuple(separators), common_channels(separators, info)
    processors = config.processors or info.processors
    missing = sorted(set(processors) - set(info.processors))
    if missing or not processors:
        has = ", ".join(info.processors) or "none"
        raise UserError(
            f"{config.shards} has no channels of "
            f"{', '.join(missing) or 'any processor'} (it has {has}): "
            "make them with train/separate_shards.py, or name a "
            "--separator to separate on the fly"
        )
    return processors, info.num_channels


def _view_spec(
    learner: ContrastiveLearner,
    info: DatasetInfo,
    processors: tuple[str, ...],
    num_channels: int,
) -> ViewSpec:
    config, embedding_model = learner.config, learner.embedding_model
    augment = learner.spec_augment
    patch = embedding_model.window_frames, embedding_model.frontend.mel_bands
    whole_clip = np.iinfo(np.int32).max // 2
    return ViewSpec(
        comparison=config.comparison,
        processors=processors,
        num_channels=num_channels,
        view_samples=embedding_model.window_samples,
        max_offset_samples=(
            round(config.tp_max_offset * info.sample_rate_hz) or whole_clip
        ),
        silence_db=config.silence_db,
        augment_draws=augment.num_draws if augment else 0,
        triplet_patch=patch if config.objective == "triplet" else None,
    )
