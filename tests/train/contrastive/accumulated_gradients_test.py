import keras
import numpy as np
import pytest
import tensorflow as tf

from data.run.errors import UserError
from models.embedding_model import EmbeddingModel
from models.views.triplet_positive import NUM_DRAWS
from train.contrastive.accumulated_gradients import gradients_of
from train.contrastive.contrastive_config import ContrastiveConfig
from train.contrastive.learner import ContrastiveLearner
from train.contrastive.view_pipeline import AUGMENT, NOISE, POSITIVE, VIEWS

FRAMES = 32
SIZE = 6


def _learner(objective="joint", dropout=0.0, make_views=None, **flags):
    keras.utils.set_random_seed(1)
    model = EmbeddingModel(
        embedding_dim=7,
        width=0.0625,
        window_frames=FRAMES,
        hidden_layer=True,
        dropout=dropout,
        hidden_dropout=dropout,
    )
    if objective == "triplet":
        flags["comparison"] = "mix_vs_mix"
    config = ContrastiveConfig(
        objective=objective,
        batch_size=SIZE,
        head_units=9,
        projection_dim=5,
        time_mask_frames=4,
        **flags,
    )
    learner = ContrastiveLearner(model, config, make_views)
    learner.optimizer = keras.optimizers.Adam(1e-4)
    return learner


def _batch(learner, seed=1):
    rng = np.random.default_rng(seed)
    samples = learner.embedding_model.window_samples
    numbers = {
        VIEWS: 0.1 * rng.normal(size=(SIZE, 2, samples)),
        AUGMENT: rng.uniform(size=(SIZE, 2, 10)),
        POSITIVE: rng.uniform(size=(SIZE, NUM_DRAWS)),
        NOISE: rng.normal(size=(SIZE, FRAMES, 64)),
    }
    return {
        name: tf.constant(array, tf.float32) for name, array in numbers.items()
    }


def _direct(learner, batch, compute_losses=None):
    with tf.GradientTape() as tape:
        if compute_losses is None:
            scalars = learner.compute_losses(batch, training=True)
        else:
            scalars = compute_losses()
        loss = learner.optimizer.scale_loss(scalars["loss"])
    return tape.gradient(loss, learner.trainable_variables), scalars


def _assert_equal(found, expected, learners, tolerance):
    for gradient, other, variable in zip(
        found[0], expected[0], learners[0].trainable_variables, strict=True
    ):
        error = tf.norm(gradient - other) / tf.norm(other)
        assert error < tolerance, variable.path
    assert list(found[1]) == list(expected[1])
    for name, value in found[1].items():
        np.testing.assert_allclose(value, expected[1][name], rtol=tolerance)
    for one, other in zip(
        *(learner.non_trainable_variables for learner in learners), strict=True
    ):
        np.testing.assert_allclose(
            one, other, tolerance, tolerance, err_msg=one.path
        )


# In double precision no ReLU falls to the other side by rounding. Only h is
# single.
@pytest.mark.parametrize(
    "objective, micro_batch_size",
    [("similarity", 3), ("coincidence", 3), ("joint", 1), ("triplet", 2)],
)
def test_gradients_are_those_of_the_whole_batch(objective, micro_batch_size):
    keras.mixed_precision.set_global_policy("float64")
    learners = _learner(objective), _learner(objective)
    batch = _batch(learners[0])
    found = gradients_of(learners[0], batch, micro_batch_size)
    expected = _direct(learners[1], batch)
    _assert_equal(found, expected, learners, 1e-6)


def test_ten_steps_end_at_the_same_weights():
    keras.mixed_precision.set_global_policy("float64")
    learners = _learner(), _learner()
    signature = {
        name: tf.TensorSpec((None, *value.shape[1:]))
        for name, value in _batch(learners[0]).items()
    }

    def make_step(learner, gradients_and_scalars):
        learner.optimizer.build(learner.trainable_variables)

        def step(batch):
            gradients, scalars = gradients_and_scalars(learner, batch)
            learner.optimizer.apply(gradients, learner.trainable_variables)
            return scalars["loss"]

        # A graph need not know the size of the batch.
        return tf.function(step, input_signature=[signature])

    accumulated = make_step(learners[0], lambda *args: gradients_of(*args, 3))
    direct = make_step(learners[1], _direct)
    for seed in range(10):
        batch = _batch(learners[0], seed)
        np.testing.assert_allclose(accumulated(batch), direct(batch), rtol=1e-5)
    for one, other in zip(
        *(learner.weights for learner in learners), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-5, err_msg=one.path)


def test_one_micro_batch_draws_the_masks_of_the_batch():
    keras.mixed_precision.set_global_policy("float64")
    learners = _learner(dropout=0.3), _learner(dropout=0.3)
    batch = _batch(learners[0])
    found = gradients_of(learners[0], batch, SIZE)
    expected = _direct(learners[1], batch)
    _assert_equal(found, expected, learners, 1e-6)


def test_masks_are_those_of_one_micro_batch_after_the_other():
    keras.mixed_precision.set_global_policy("float64")
    learners = _learner(dropout=0.3), _learner(dropout=0.3)
    for learner in learners:
        # Without statistics of the batch the encoder can be called in parts.
        for segment in learner.embedding_model.encoder.segments():
            for part in segment:
                if isinstance(part, keras.layers.BatchNormalization):
                    part.trainable = False
    batch = _batch(learners[0])

    def losses_of_parts():
        parts = [
            learners[1].encode_views(
                {
                    name: value[first : first + 2]
                    for name, value in batch.items()
                },
                training=True,
            )
            for first in range(0, SIZE, 2)
        ]
        h_a, h_b = (tf.concat(h, axis=0) for h in zip(*parts, strict=True))
        return learners[1].losses_of_embeddings(h_a, h_b)

    for _ in range(2):  # The second draws other masks.
        found = gradients_of(learners[0], batch, 2)
        expected = _direct(learners[1], batch, losses_of_parts)
        _assert_equal(found, expected, learners, 1e-6)


def test_a_step_separates_clips_a_micro_batch_at_a_time():
    sizes = []

    def make_views(batch):
        sizes.append(len(batch["clips"]))
        views = tf.stack([batch["clips"], batch["clips"] ** 2], axis=1)
        return {VIEWS: views, AUGMENT: batch[AUGMENT]}

    learners = [
        _learner(micro_batch_size=size, make_views=make_views)
        for size in (2, 0)
    ]
    batch = _batch(learners[0])
    batch = {"clips": batch[VIEWS][:, 0], AUGMENT: batch[AUGMENT]}
    found, expected = (learner.train_step(batch) for learner in learners)
    assert sizes == [2, 2, 2, SIZE]
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-3)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_reduced_precision_is_that_of_the_whole_batch(precision):
    keras.mixed_precision.set_global_policy(precision)
    learners = _learner(), _learner()
    for learner in learners:
        learner.optimizer = keras.optimizers.LossScaleOptimizer(
            learner.optimizer, initial_scale=64.0
        )
        learner.optimizer.build(learner.trainable_variables)
    batch = _batch(learners[0])
    # One micro batch: another order of sums would round otherwise.
    found = gradients_of(learners[0], batch, SIZE)
    expected = _direct(learners[1], batch)
    norms = [float(tf.linalg.global_norm(g)) for g, _ in (found, expected)]
    assert norms[0] == pytest.approx(norms[1], rel=0.01)
    np.testing.assert_allclose(found[1]["loss"], expected[1]["loss"], rtol=1e-6)


def test_batches_that_do_not_divide_are_refused():
    learner = _learner()
    with pytest.raises(UserError, match="--micro_batch_size=4 .* 6 examples"):
        gradients_of(learner, _batch(learner), 4)
    with pytest.raises(ValueError, match="micro_batch_size=4 .*batch_size=6"):
        _learner(micro_batch_size=4)
