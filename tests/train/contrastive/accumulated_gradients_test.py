import keras
import numpy as np
import pytest
import tensorflow as tf

from data.run.errors import UserError
from tests.train.contrastive.small_learner import make_batch, make_learner
from train.contrastive.accumulated_gradients import gradients_of
from train.contrastive.view_pipeline import AUGMENT, VIEWS

SIZE = 6


def _learners(dropout=0.0, **flags):
    """Two with the same weights."""
    model = {
        "hidden_layer": True,
        "dropout": dropout,
        "hidden_dropout": dropout,
    }
    return [
        make_learner(model=model, batch_size=SIZE, **flags) for _ in range(2)
    ]


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
    [
        pytest.param("joint", 1, marks=pytest.mark.long),
        ("joint", 3),
        ("triplet", 2),
    ],
)
def test_gradients_are_those_of_the_whole_batch(objective, micro_batch_size):
    keras.mixed_precision.set_global_policy("float64")
    learners = _learners(objective=objective)
    batch = make_batch(learners[0])
    found = gradients_of(learners[0], batch, micro_batch_size)
    expected = _direct(learners[1], batch)
    _assert_equal(found, expected, learners, 1e-6)


def test_steps_end_at_the_same_weights():
    """In a graph those of micro batches, as training takes them."""
    keras.mixed_precision.set_global_policy("float64")
    learners = _learners()

    def make_step(learner, gradients_and_scalars):
        def step(batch):
            gradients, scalars = gradients_and_scalars(learner, batch)
            learner.optimizer.apply(gradients, learner.trainable_variables)
            return scalars["loss"]

        return step

    accumulated = tf.function(
        make_step(learners[0], lambda *args: gradients_of(*args, 3)),
        autograph=False,
    )
    direct = make_step(learners[1], _direct)
    for seed in range(4):
        batch = make_batch(learners[0], seed=seed)
        np.testing.assert_allclose(accumulated(batch), direct(batch), rtol=1e-5)
    for one, other in zip(
        *(learner.weights for learner in learners), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-5, err_msg=one.path)


def test_masks_are_those_of_one_micro_batch_after_the_other():
    keras.mixed_precision.set_global_policy("float64")
    learners = _learners(dropout=0.3)
    for learner in learners:
        # Without statistics of the batch the encoder can be called in parts.
        for segment in learner.embedding_model.encoder.segments():
            for part in segment:
                if isinstance(part, keras.layers.BatchNormalization):
                    part.trainable = False
    batch = make_batch(learners[0])

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
        make_learner(
            batch_size=SIZE, micro_batch_size=size, make_views=make_views
        )
        for size in (2, 0)
    ]
    batch = make_batch(learners[0])
    batch = {"clips": batch[VIEWS][:, 0], AUGMENT: batch[AUGMENT]}
    found, expected = (learner.train_step(batch) for learner in learners)
    assert sizes == [2, 2, 2, SIZE]
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-3)


@pytest.mark.parametrize(
    "precision",
    [
        "mixed_bfloat16",
        pytest.param("mixed_float16", marks=pytest.mark.long),
    ],
)
def test_reduced_precision_is_that_of_the_whole_batch(precision):
    keras.mixed_precision.set_global_policy(precision)
    learners = _learners()
    for learner in learners:
        learner.optimizer = keras.optimizers.LossScaleOptimizer(
            learner.optimizer, initial_scale=64.0
        )
        learner.optimizer.build(learner.trainable_variables)
    batch = make_batch(learners[0])
    # One micro batch: another order of sums would round otherwise.
    found = gradients_of(learners[0], batch, SIZE)
    expected = _direct(learners[1], batch)
    norms = [float(tf.linalg.global_norm(g)) for g, _ in (found, expected)]
    assert norms[0] == pytest.approx(norms[1], rel=0.01)
    np.testing.assert_allclose(found[1]["loss"], expected[1]["loss"], rtol=1e-6)


def test_batches_that_do_not_divide_are_refused():
    learner = make_learner()
    with pytest.raises(UserError, match="--micro_batch_size=4 .* 6 examples"):
        gradients_of(learner, make_batch(learner), 4)
    with pytest.raises(ValueError, match="micro_batch_size=4 .*batch_size=6"):
        make_learner(batch_size=SIZE, micro_batch_size=4)
