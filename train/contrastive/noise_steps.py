"""Training steps on noise in memory, to measure them."""

from collections.abc import Callable

import tensorflow as tf

from models.embedding_model import EmbeddingModel
from models.views.triplet_positive import NUM_DRAWS
from train.contrastive.contrastive_config import ContrastiveConfig
from train.contrastive.learner import ContrastiveLearner
from train.contrastive.view_pipeline import AUGMENT, NOISE, POSITIVE, VIEWS
from train.loop import training_loop
from train.loop.optimizers import make_optimizer


def make_step(config: ContrastiveConfig) -> Callable[[], float]:
    """A function that does one step and returns its loss.

    The batch is `config.batch_size` pairs of one window, as `view_pipeline`
    makes them.
    """
    training_loop.prepare(config)
    model = EmbeddingModel(
        embedding_dim=config.embedding_dim,
        width=config.width,
        frontend=config.frontend,
    )
    learner = ContrastiveLearner(model, config)
    learner.optimizer = make_optimizer(config, learner)
    n = config.batch_size
    batch = {VIEWS: tf.random.normal((n, 2, model.window_samples), 0, 0.1)}
    if learner.spec_augment:
        draws = learner.spec_augment.num_draws
        batch[AUGMENT] = tf.random.uniform((n, 2, draws))
    if learner.triplet_positive:
        patch = model.window_frames, model.frontend.mel_bands
        batch[POSITIVE] = tf.random.uniform((n, NUM_DRAWS))
        batch[NOISE] = tf.random.normal((n, *patch))
    step = tf.function(learner.train_step, jit_compile=False, autograph=False)
    return lambda: float(step(batch)["loss"])
