import keras
import numpy as np
import pytest
import tensorflow as tf

from models.embedding_model import EmbeddingModel
from train.contrastive_config import ContrastiveConfig
from train.contrastive_learner import AUGMENT, VIEWS, ContrastiveLearner


def _learner(**flags):
    keras.utils.set_random_seed(1)
    model = EmbeddingModel(embedding_dim=7, width=0.0625)
    config = ContrastiveConfig(head_units=9, projection_dim=5, **flags)
    learner = ContrastiveLearner(model, config)
    learner.optimizer = keras.optimizers.Adam(1e-3)
    return learner


def _batch(size=4, seed=1):
    rng = np.random.default_rng(seed)
    # Clips differ in pitch, their two views in phase.
    time = np.arange(15600) / 16000
    pitch = 200 * 2 ** np.arange(size)[:, None, None]
    phase = rng.uniform(0, 6, (size, 2, 1))
    views = 0.3 * np.sin(2 * np.pi * pitch * time + phase)
    draws = rng.uniform(size=(size, 2, 10))
    return {
        VIEWS: tf.constant(views, tf.float32),
        AUGMENT: tf.constant(draws, tf.float32),
    }


def test_joint_loss_is_the_weighted_sum():
    learner = _learner(objective="joint", coincidence_weight=0.3)
    scalars = learner.test_step(_batch())
    expected = scalars["similarity"] + 0.3 * scalars["coincidence"]
    assert float(scalars["loss"]) == pytest.approx(float(expected))


@pytest.mark.parametrize("objective", ["similarity", "coincidence"])
def test_either_objective_runs_alone(objective):
    learner = _learner(objective=objective, coincidence_weight=0.3)
    scalars = learner.train_step(_batch())
    assert float(scalars["loss"]) == float(scalars[objective])
    heads = [learner.similarity_head, learner.coincidence_head]
    assert sum(head is None for head in heads) == 1


@pytest.mark.parametrize("objective", ["similarity", "coincidence", "joint"])
def test_every_trainable_variable_has_a_gradient(objective):
    learner = _learner(objective=objective)
    with tf.GradientTape() as tape:
        loss = learner.compute_losses(_batch(), training=True)["loss"]
    gradients = tape.gradient(loss, learner.trainable_variables)
    for variable, gradient in zip(
        learner.trainable_variables, gradients, strict=True
    ):
        assert gradient is not None and np.any(gradient), variable.path


def test_first_and_second_views_share_batch_statistics():
    learner = _learner(spec_augment=False)
    batch = _batch()
    h_a, h_b = learner.encode_views(batch, training=False)
    for place, h in ((0, h_a), (1, h_b)):
        expected = learner.embedding_model.encode(batch[VIEWS][:, place])
        np.testing.assert_allclose(h, expected, atol=1e-5)


def test_four_clips_are_learned():
    learner = _learner(spec_augment=False)
    learner.embedding_model.encoder.dropout = 0
    step = tf.function(learner.train_step)
    first = step(_batch(seed=0))
    for seed in range(1, 40):
        last = step(_batch(seed=seed))
    assert float(last["loss"]) < 0.5 * float(first["loss"])
    assert float(last["contrastive_accuracy"]) == 1


def test_test_step_moves_nothing():
    learner = _learner()
    before = [w.copy() for w in learner.get_weights()]
    learner.test_step(_batch())
    for old, new in zip(before, learner.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_silent_batch_has_finite_gradients():
    learner = _learner(objective="joint")
    batch = _batch()
    batch[VIEWS] = tf.zeros_like(batch[VIEWS])
    learner.train_step(batch)
    assert all(np.isfinite(w).all() for w in learner.get_weights())


def test_bfloat16_losses_are_float32_and_close():
    batch = _batch()
    expected = _learner().test_step(batch)
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        reduced = _learner().test_step(batch)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert reduced["loss"].dtype == tf.float32
    assert float(reduced["loss"]) == pytest.approx(
        float(expected["loss"]), rel=0.05
    )
