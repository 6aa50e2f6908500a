import keras
import numpy as np
import pytest
import tensorflow as tf

from models.embedding_model import EmbeddingModel
from models.losses.triplet import triplet_loss
from models.metrics.alignment_uniformity import alignment, uniformity
from models.metrics.effective_rank import effective_rank
from models.views.spec_augment import SpecAugment
from models.views.triplet_positive import NUM_DRAWS
from train.contrastive.contrastive_config import OBJECTIVES, ContrastiveConfig
from train.contrastive.learner import ContrastiveLearner
from train.contrastive.view_pipeline import AUGMENT, NOISE, POSITIVE, VIEWS


def _learner(**flags):
    keras.utils.set_random_seed(1)
    model = EmbeddingModel(embedding_dim=7, width=0.0625)
    if flags.get("objective") == "triplet":
        flags["comparison"] = "mix_vs_mix"
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
    numbers = {
        VIEWS: views,
        AUGMENT: rng.uniform(size=(size, 2, 10)),
        POSITIVE: rng.uniform(size=(size, NUM_DRAWS)),
        NOISE: rng.normal(size=(size, 96, 64)),
    }
    return {
        name: tf.constant(array, tf.float32) for name, array in numbers.items()
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


def test_triplet_is_the_loss_of_h_on_anchors_and_their_positives():
    learner = _learner(objective="triplet", triplet_margin=0.4)
    assert learner.similarity_head is learner.coincidence_head is None
    batch = _batch()
    scalars = learner.test_step(batch)
    losses, active = triplet_loss(*learner.encode_views(batch, False), 0.4)
    assert float(scalars["triplet"]) == pytest.approx(np.mean(losses), abs=1e-6)
    assert float(scalars["active_triplets"]) == np.mean(active)
    assert float(scalars["loss"]) == float(scalars["triplet"])


def test_positive_is_made_before_spec_augment():
    """Draws of a positive that is the second view: as without triplets."""
    batch = _batch()
    batch[POSITIVE] = tf.ones_like(batch[POSITIVE]) * 0.9
    expected = _learner(objective="similarity").encode_views(batch, False)
    found = _learner(objective="triplet").encode_views(batch, False)
    for h, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(h, other)
    batch[POSITIVE] *= 0.1  # Noise.
    anchors, positives = _learner(objective="triplet").encode_views(
        batch, False
    )
    np.testing.assert_array_equal(anchors, expected[0])
    assert np.all(np.any(positives != expected[1], axis=1))


def test_flags_size_spec_augment():
    learner = _learner(
        time_masks=1,
        time_mask_frames=5,
        freq_masks=3,
        freq_mask_bands=4,
        time_warp_frames=6,
    )
    sizes = learner.spec_augment.get_config()
    del sizes["name"]
    assert sizes == {
        "time_masks": 1,
        "time_mask_frames": 5,
        "freq_masks": 3,
        "freq_mask_bands": 4,
        "time_warp_frames": 6,
    }
    config = ContrastiveConfig()
    assert (
        SpecAugment().get_config().items()
        >= {name: getattr(config, name) for name in sizes}.items()
    )


@pytest.mark.parametrize("objective", OBJECTIVES)
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


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_degenerate_batches_leave_all_weights_finite(objective):
    learner = _learner(objective=objective)
    five = _batch(5)
    sound = five[VIEWS].numpy()
    sound[0] = 0  # A silent clip, a silent view,
    sound[1, 0] = 0
    sound[2, 1] = sound[2, 0]  # identical views, and a clip twice.
    sound[4] = sound[3]
    for batch in (
        five | {VIEWS: tf.constant(sound)},
        _batch(2) | {VIEWS: tf.zeros([2, 2, 15600])},
    ):
        scalars = learner.train_step(batch)
        assert all(np.isfinite(s) for s in scalars.values())
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


@pytest.mark.parametrize("objective", ["joint", "coincidence"])
def test_diagnostics_are_those_of_the_encoder_at_rest(objective):
    learner = _learner(objective=objective)
    batch = _batch(6)
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
    assert 1 < float(figures["effective_rank"]) < 7


def test_diagnostics_show_a_collapsed_embedding():
    learner = _learner(objective="similarity")
    dense = learner.embedding_model.encoder.bottleneck
    dense.kernel.assign(tf.zeros_like(dense.kernel))
    dense.bias.assign(tf.ones_like(dense.bias))
    figures = learner.diagnostics(_batch())
    assert float(figures["alignment"]) == pytest.approx(0, abs=1e-5)
    assert float(figures["uniformity"]) == pytest.approx(0, abs=1e-5)
    assert float(figures["h_norm"]) == pytest.approx(7**0.5)
    assert float(figures["effective_rank"]) == 0


def test_diagnostics_move_nothing():
    learner = _learner()
    before = [w.copy() for w in learner.get_weights()]
    learner.diagnostics(_batch())
    for old, new in zip(before, learner.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
