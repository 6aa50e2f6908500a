import numpy as np
import pytest
import tensorflow as tf

from models.heads import pair_logits as module
from models.heads.coincidence_head import CoincidenceHead
from models.heads.pair_logits import pair_logits


def _inputs(rows=6, columns=10, units=11, dtype="float64", seed=1):
    rng = np.random.default_rng(seed)
    shapes = ((rows, units), (columns, units), (units,), (rows, columns))
    return [tf.constant(rng.normal(size=s), dtype) for s in shapes]


def _value_and_gradients(function, a, b, weights, upstream):
    with tf.GradientTape() as tape:
        tape.watch([a, b, weights])
        logits = function(a, b, weights)
    return logits, *tape.gradient(logits, [a, b, weights], upstream)


def _one_piece(a, b, weights):
    return tf.tensordot(tf.nn.relu(a[:, None] + b), weights, 1)


@pytest.mark.parametrize("rows_at_once", [1, 4, 100])
def test_values_and_gradients_are_those_of_one_piece(rows_at_once, monkeypatch):
    inputs = _inputs()
    monkeypatch.setattr(module, "_ONE_PIECE", 0)
    monkeypatch.setattr(module, "_TILE", rows_at_once * 10 * 11)
    for found, expected in zip(
        _value_and_gradients(pair_logits, *inputs),
        _value_and_gradients(_one_piece, *inputs),
        strict=True,
    ):
        assert found.dtype == tf.float64
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("sizes", [(6, 10), (None, 10), (6, None)])
def test_graphs_of_known_and_unknown_sizes(sizes, monkeypatch):
    # Small enough that the known size is looped over too.
    monkeypatch.setattr(module, "_ONE_PIECE", 100)
    monkeypatch.setattr(module, "_TILE", 250)
    shapes = ((sizes[0], 11), (sizes[1], 11), (11,), sizes)
    graph = tf.function(
        lambda *x: _value_and_gradients(pair_logits, *x),
        input_signature=[tf.TensorSpec(s, tf.float64) for s in shapes],
        jit_compile=False,
    )
    inputs = _inputs()
    for found, expected in zip(
        graph(*inputs),
        _value_and_gradients(_one_piece, *inputs),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


def test_large_batches_never_hold_all_units(monkeypatch):
    """The largest array of the loop's graph, forward and backward."""
    monkeypatch.setattr(module, "_ONE_PIECE", 1000)
    monkeypatch.setattr(module, "_TILE", 600)
    inputs = _inputs(30, 40, 10)
    function = tf.function(
        lambda *x: _value_and_gradients(pair_logits, *x), jit_compile=False
    )
    graph = function.get_concrete_function(*inputs).graph
    bodies = [body.graph for body in graph._functions.values()]
    assert len(bodies) >= 6  # Condition and body of three loops.
    sizes = [
        tensor.shape.num_elements() or 0
        for body in (graph, *bodies)
        for operation in body.get_operations()
        for tensor in operation.outputs
        if tensor.shape.rank is not None
    ]
    assert max(sizes) == 30 * 40


def test_head_is_looped_without_a_change(monkeypatch):
    head = CoincidenceHead(5, 11)
    h_m, h_c = np.random.default_rng(1).normal(size=(2, 6, 5)).astype("f4")

    def results():
        with tf.GradientTape() as tape:
            logits = head(h_m, h_c[:4])
        return logits, *tape.gradient(logits, head.trainable_variables)

    one_piece = results()
    monkeypatch.setattr(module, "_ONE_PIECE", 1)
    for found, expected in zip(results(), one_piece, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
