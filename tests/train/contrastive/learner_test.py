import keras
import numpy as np
import pytest
import tensorflow as tf

from models.cnn14.cnn14 import NUM_BLOCKS
from models.losses.triplet import triplet_loss
from models.metrics.alignment_uniformity import alignment, uniformity
from models.metrics.effective_rank import effective_rank
from tests.train.contrastive.small_learner import DIM, make_batch, make_learner
from train.contrastive.contrastive_config import OBJECTIVES
from train.contrastive.view_pipeline import POSITIVE, VIEWS

# Joint has the heads and losses of the other two.
EACH_OBJECTIVE = pytest.mark.parametrize(
    "objective",
    [
        name
        if name in ("joint", "triplet")
        else pytest.param(name, marks=pytest.mark.long)
        for name in OBJECTIVES
    ],
)


def test_joint_loss_is_the_weighted_sum():
    learner = make_learner("joint", coincidence_weight=0.3)
    scalars = learner.compute_losses(make_batch(learner), training=False)
    expected = scalars["similarity"] + 0.3 * scalars["coincidence"]
    assert float(scalars["loss"]) == pytest.approx(float(expected))


def test_triplet_is_the_loss_of_h_on_anchors_and_their_positives():
    learner = make_learner("triplet", triplet_margin=0.4)
    batch = make_batch(learner)
    scalars = learner.compute_losses(batch, training=False)
    losses, active = triplet_loss(*learner.encode_views(batch, False), 0.4)
    assert float(scalars["triplet"]) == pytest.approx(np.mean(losses), abs=1e-6)
    assert float(scalars["active_triplets"]) == np.mean(active)
    assert float(scalars["loss"]) == float(scalars["triplet"])


def test_positive_is_made_before_spec_augment():
    """Draws of a positive that is the second view: as without triplets."""
    learners = make_learner("similarity"), make_learner("triplet")
    batch = make_batch(learners[0])
    batch[POSITIVE] = tf.ones_like(batch[POSITIVE]) * 0.9
    expected, found = (each.encode_views(batch, False) for each in learners)
    for h, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(h, other)
    batch[POSITIVE] *= 0.1  # Noise.
    anchors, positives = learners[1].encode_views(batch, False)
    np.testing.assert_array_equal(anchors, expected[0])
    assert np.all(np.any(positives != expected[1], axis=1))


def test_flags_size_spec_augment():
    flags = {
        "time_masks": 1,
        "freq_masks": 3,
        "freq_mask_bands": 5,
        "time_warp_frames": 6,
    }
    sizes = make_learner(**flags).spec_augment.get_config()
    assert sizes.items() >= {**flags, "time_mask_frames": 4}.items()


@EACH_OBJECTIVE
def test_every_trainable_variable_has_a_gradient(objective):
    learner = make_learner(objective)
    with tf.GradientTape() as tape:
        scalars = learner.compute_losses(make_batch(learner), training=True)
    gradients = tape.gradient(scalars["loss"], learner.trainable_variables)
    for variable, gradient in zip(
        learner.trainable_variables, gradients, strict=True
    ):
        assert gradient is not None and np.any(gradient), variable.path


def test_first_and_second_views_share_batch_statistics():
    learner = make_learner(spec_augment=False)
    batch = make_batch(learner)
    h_a, h_b = learner.encode_views(batch, training=False)
    for place, h in ((0, h_a), (1, h_b)):
        expected = learner.embedding_model.encode(batch[VIEWS][:, place])
        np.testing.assert_allclose(h, expected, atol=1e-5)


def test_four_clips_are_learned():
    learner = make_learner(
        spec_augment=False, learning_rate=1e-3, blocks=NUM_BLOCKS
    )
    step = tf.function(learner.train_step, autograph=False)
    history = [step(make_batch(learner, 4, seed)) for seed in range(40)]
    losses = [float(scalars["loss"]) for scalars in history]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    # Without learning about a half; of 8 views one may be wrong by rounding.
    accuracies = [s["contrastive_accuracy"] for s in history[-5:]]
    assert np.mean(accuracies) > 0.8


@EACH_OBJECTIVE
def test_degenerate_batches_leave_all_weights_finite(objective):
    learner = make_learner(objective, learning_rate=1e-3)
    five = make_batch(learner, 5)
    sound = five[VIEWS].numpy()
    sound[0] = 0  # A silent clip, a silent view,
    sound[1, 0] = 0
    sound[2, 1] = sound[2, 0]  # identical views, and a clip twice.
    sound[4] = sound[3]
    for batch in (
        five | {VIEWS: tf.constant(sound)},
        {name: tf.zeros_like(array[:2]) for name, array in five.items()},
    ):
        scalars = learner.train_step(batch)
        assert all(np.isfinite(s) for s in scalars.values())
        assert all(np.isfinite(w).all() for w in learner.get_weights())


def test_bfloat16_losses_are_float32_and_close():
    def losses():
        learner = make_learner()
        return learner.compute_losses(make_batch(learner), training=False)

    expected = losses()["loss"]
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    reduced = losses()["loss"]
    assert reduced.dtype == tf.float32
    assert float(reduced) == pytest.approx(float(expected), rel=0.05)


@pytest.mark.parametrize("objective", ["joint", "coincidence"])
def test_diagnostics_are_those_of_the_encoder_at_rest(objective):
    learner = make_learner(objective)
    batch = make_batch(learner)
    before = learner.get_weights()
    figures = tf.function(learner.diagnostics)(batch)
    h_a, h_b = learner.encode_views(batch, training=False)
    head = learner.similarity_head or tf.identity
    z_a, z_b = head(h_a), head(h_b)
    h = tf.concat([h_a, h_b], axis=0)
    expected = {
        "alignment": tf.reduce_mean(alignment(z_a, z_b)),
        "uniformity": (uniformity(z_a) + uniformity(z_b)) / 2,
        "h_norm": tf.reduce_mean(tf.norm(h, axis=1)),
        "effective_rank": effective_rank(h),
    }
    assert set(figures) == set(expected)
    for name, value in figures.items():
        assert float(value) == pytest.approx(float(expected[name]), rel=1e-4)
    assert 1 < float(figures["effective_rank"]) < DIM
    for old, new in zip(before, learner.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
