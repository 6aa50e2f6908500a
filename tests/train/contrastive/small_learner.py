"""A learner of a narrow, shallow encoder, and batches of views for it."""

from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from models.cnn14 import cnn14
from models.embedding_model import EmbeddingModel
from models.views.triplet_positive import NUM_DRAWS
from train.contrastive.contrastive_config import ContrastiveConfig
from train.contrastive.learner import ContrastiveLearner
from train.contrastive.view_pipeline import AUGMENT, NOISE, POSITIVE, VIEWS
from train.loop.optimizers import FusedAdam

FRAMES, BANDS, DIM = 32, 64, 7


def make_learner(
    objective="joint",
    make_views=None,
    model=(),
    learning_rate=1e-4,
    blocks=2,
    **flags,
) -> ContrastiveLearner:
    """With the same weights each time; `model` are options of the encoder.

    More blocks are of the same layers, and would take most of the time.
    """
    keras.utils.set_random_seed(1)
    options = {
        "embedding_dim": DIM,
        "width": 1 / 16,
        "dropout": 0.0,
        "window_frames": FRAMES,
    }
    if objective == "triplet":
        flags["comparison"] = "mix_vs_mix"
    with mock.patch.object(cnn14, "NUM_BLOCKS", blocks):
        embedding_model = EmbeddingModel(**options | dict(model))
    learner = ContrastiveLearner(
        embedding_model,
        ContrastiveConfig(
            objective=objective,
            head_units=9,
            projection_dim=5,
            time_mask_frames=4,
            **flags,
        ),
        make_views,
    )
    learner.optimizer = FusedAdam(learning_rate)
    # Else a graph is traced twice, the first time to make its variables.
    learner.optimizer.build(learner.trainable_variables)
    return learner


def make_batch(
    learner: ContrastiveLearner, size: int = 6, seed: int = 1
) -> dict[str, tf.Tensor]:
    """Clips differ in pitch, their two views in phase."""
    rng = np.random.default_rng(seed)
    model = learner.embedding_model
    time = np.arange(model.window_samples) / model.sample_rate_hz
    pitch = 200 * 2 ** np.arange(size)[:, None, None]
    phase = rng.uniform(0, 6, (size, 2, 1))
    numbers = {
        VIEWS: 0.3 * np.sin(2 * np.pi * pitch * time + phase),
        AUGMENT: rng.uniform(size=(size, 2, 10)),
        POSITIVE: rng.uniform(size=(size, NUM_DRAWS)),
        NOISE: rng.normal(size=(size, FRAMES, BANDS)),
    }
    return {
        name: tf.constant(array, tf.float32) for name, array in numbers.items()
    }
