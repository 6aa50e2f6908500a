"""Losses with their gradients, in graphs as in a training step."""

from data.run import environment

environment.prepare()

from collections.abc import Callable  # noqa: E402

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from models.heads.coincidence_head import CoincidenceHead  # noqa: E402
from models.losses.coincidence_loss import coincidence_loss  # noqa: E402
from models.losses.mixit import mixit_loss  # noqa: E402
from models.losses.nt_xent import nt_xent  # noqa: E402
from tests.bench.work import Work  # noqa: E402

TEMPERATURE = 0.1


def mixit(pairs: int, sources: int, seconds: float) -> Work:
    """Estimates are noise: none is better than another by much."""
    samples = round(seconds * 16000)
    given = {
        "mixtures": _noise((pairs, 2, samples), seed=0),
        "estimates": _noise((pairs, sources, samples), seed=1),
    }

    def loss(mixtures, estimates):
        return mixit_loss(mixtures, estimates)[0]

    return _with_gradient(loss, given, "estimates")


def contrastive(pairs: int) -> Work:
    """NT-Xent of the batch."""
    given = {
        "z_a": _noise((pairs, 128), seed=0),
        "z_b": _noise((pairs, 128), seed=1),
    }

    def loss(z_a, z_b):
        return nt_xent(z_a, z_b, TEMPERATURE)[0]

    return _with_gradient(loss, given, "z_a")


def coincidence(pairs: int) -> Work:
    """Head and loss of all pairs of the batch."""
    head = CoincidenceHead()
    given = {
        "h_a": _noise((pairs, 128), seed=0),
        "h_b": _noise((pairs, 128), seed=1),
    }

    def loss(h_a, h_b):
        return coincidence_loss(head(h_a, h_b))[0]

    work = _with_gradient(loss, given, "h_a")
    weights = {v.path: v.numpy() for v in head.trainable_variables}
    return work._replace(given=given | weights)


def _noise(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, shape).astype("f4")


def _with_gradient(loss: Callable, given: dict, wanted: str) -> Work:
    """Of the mean over the batch, with respect to all inputs.

    The answer has that mean, and one of the gradients.
    """
    inputs = {name: tf.constant(value) for name, value in given.items()}

    @tf.function(jit_compile=False)
    def function(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            values = loss(**inputs)
            mean = tf.reduce_mean(values)
        return values, tape.gradient(mean, inputs)

    def turn():
        values, gradients = function(inputs)
        return {
            "loss": values.numpy().mean(),
            "gradient": gradients[wanted].numpy(),
        }

    return Work(turn, given=given)
