"""Training steps on noise in memory, as the trainers run them."""

from data.run import environment

environment.prepare()

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from models.embedding_model import EmbeddingModel  # noqa: E402
from models.separation.separator import Separator  # noqa: E402
from tests.bench import model_sizes  # noqa: E402
from tests.bench.work import Work  # noqa: E402
from train.contrastive import noise_steps  # noqa: E402
from train.contrastive.contrastive_config import ContrastiveConfig  # noqa: E402
from train.contrastive.learner import ContrastiveLearner  # noqa: E402
from train.contrastive.view_pipeline import VIEWS  # noqa: E402
from train.loop import training_loop  # noqa: E402
from train.loop.optimizers import make_optimizer  # noqa: E402
from train.separation.learner import SeparationLearner  # noqa: E402
from train.separation.separation_config import SeparationConfig  # noqa: E402


def contrastive(width: float, pairs: int) -> Work:
    """Joint loss of pairs of views, with dropout and SpecAugment.

    The answer is of a step without these two, whose draws differ.
    """
    config = ContrastiveConfig(width=width, batch_size=pairs)
    step = noise_steps.make_step(config)

    plain = ContrastiveConfig(
        width=width, batch_size=pairs, spec_augment=False, dropout=0.0
    )
    model = EmbeddingModel(width=width, dropout=0.0)
    learner = ContrastiveLearner(model, plain)
    views = np.random.default_rng(0).normal(0, 0.1, (pairs, 2, 15600))
    views = views.astype("f4")
    given = {"views": views, "mel": model.frontend._mel_matrix}
    given |= _weights(learner)
    # Forward, and twice as many backward.
    per_view = model_sizes.multiply_adds(
        [model.frontend, model.encoder], (1, 15600)
    )
    return Work(
        step,
        _loss_and_gradient(learner, {VIEWS: views}),
        given,
        multiply_adds=3 * 2 * pairs * per_view,
    )


def separation(pairs: int, seconds: float, **sizes) -> Work:
    """MixIT on pairs of mixtures, M = 2, by default at the published sizes."""
    config = SeparationConfig(batch_size=pairs, **sizes)
    training_loop.prepare(config)
    separator = Separator(config.num_sources, name="separator", **sizes)
    learner = SeparationLearner(separator, config)
    random = np.random.default_rng(0)
    shape = (pairs, 2, round(seconds * 16000))
    mixtures = random.normal(0, 0.1, shape).astype("f4")
    given = {"mixtures": mixtures} | _weights(learner)
    answer = _loss_and_gradient(learner, mixtures)
    learner.optimizer = make_optimizer(config, learner)
    step = tf.function(learner.train_step, jit_compile=False)
    batch = tf.constant(mixtures)
    return Work(lambda: float(step(batch)["loss"]), answer, given)


def _weights(learner: keras.Model) -> dict[str, np.ndarray]:
    """Trainable variables by path."""
    return {v.path: v.numpy() for v in learner.trainable_variables}


def _loss_and_gradient(learner: keras.Model, batch) -> dict[str, np.ndarray]:
    """The loss, and the norm of the gradient over all weights."""
    with tf.GradientTape() as tape:
        loss = learner.compute_losses(batch, training=True)["loss"]
    gradients = tape.gradient(loss, learner.trainable_variables)
    norm = tf.linalg.global_norm(gradients)
    return {"loss": loss.numpy(), "gradient_norm": norm.numpy()}
