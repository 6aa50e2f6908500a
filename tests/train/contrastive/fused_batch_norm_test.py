import keras
import numpy as np
import pytest
import tensorflow as tf

from models.cnn14.batch_norm import BatchNorm
from tests.train.contrastive.small_learner import make_batch, make_learner
from train.contrastive.fused_batch_norm import fused_batch_norm

SHAPES = [(5, 3, 4, 6), (5, 7, 6), (20, 6), (3, 1, 1, 6)]


def _norm(kernel, dimensions=2, **options) -> BatchNorm:
    norm = BatchNorm(**options)
    norm.build((*[None] * (dimensions - 1), 6))
    rng = np.random.default_rng(0)
    norm.set_weights([rng.uniform(0.5, 2, 6).astype("f4") for _ in range(4)])
    norm.kernel = kernel
    return norm


def _step(norm, x):
    """Outputs, gradients and what the moving statistics become."""
    towards = np.random.default_rng(2).normal(size=x.shape)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = norm(x, training=True)
        loss = tf.reduce_sum(tf.cast(outputs, tf.float64) * towards)
    sources = [x, *(v.value for v in norm.trainable_variables)]
    return [outputs, *tape.gradient(loss, sources), *norm.get_weights()]


@pytest.mark.parametrize("shape", SHAPES)
def test_values_gradients_and_statistics_are_those_of_keras(shape):
    rng = np.random.default_rng(1)
    x = tf.constant(rng.normal(3, 2, shape), tf.float32)
    fused, plain = (
        _step(_norm(kernel, len(shape)), x)
        for kernel in (fused_batch_norm, None)
    )
    for one, other in zip(fused, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-5)


def test_a_batch_of_unknown_size():
    norm = _norm(fused_batch_norm, 4)
    spec = tf.TensorSpec([None, 4, 5, 6])
    traced = tf.function(lambda x: norm(x, training=True), [spec])
    x = np.random.default_rng(3).normal(size=(3, 4, 5, 6)).astype("f4")
    expected = _norm(None, 4)(x, training=True)
    np.testing.assert_allclose(traced(x), expected, atol=2e-5)


@pytest.mark.parametrize(
    "options, training",
    [
        ({"dtype": "float64"}, True),
        ({"dtype": "mixed_bfloat16"}, True),
        ({"trainable": False}, True),
        ({}, False),
    ],
)
def test_keras_ops_where_there_is_nothing_to_fuse(options, training):
    def refused(*_):
        raise AssertionError("the kernel was called")

    x = np.random.default_rng(0).normal(size=(3, 6))
    norm, plain = _norm(refused, **options), _norm(None, **options)
    np.testing.assert_array_equal(
        norm(x, training=training), plain(x, training=training)
    )


def test_a_learner_uses_it_in_every_batch_norm():
    learner = make_learner("similarity")
    norms = [
        part
        for part in learner.embedding_model._flatten_layers()
        if isinstance(part, keras.layers.BatchNormalization)
    ]
    assert len(norms) == 5
    assert all(norm.kernel is fused_batch_norm for norm in norms)
    graph = tf.function(
        lambda batch: learner.compute_losses(batch, training=True),
        autograph=False,
    ).get_concrete_function(make_batch(learner))
    ops = [op.type for op in graph.graph.get_operations()]
    assert ops.count("FusedBatchNormV3") == 5
