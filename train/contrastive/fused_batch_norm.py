"""TensorFlow's kernel for batch norm in training."""

import itertools

import numpy as np
import tensorflow as tf

from models.cnn14.batch_norm import BatchNorm
from models.cnn14.cnn14 import CNN14


def use_in(encoder: CNN14) -> None:
    """Lets the batch norms of an encoder compute in one kernel."""
    for part in itertools.chain.from_iterable(encoder.segments()):
        if isinstance(part, BatchNorm):
            part.kernel = fused_batch_norm


def fused_batch_norm(
    x: tf.Tensor, gamma, beta, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """See `BatchNorm.kernel`; x (B, ..., C), of which B may be unknown."""
    *inner, channels = x.shape[1:]
    # The kernel knows images only.
    height, width = inner if len(inner) == 2 else (1, int(np.prod(inner)))
    images = tf.reshape(x, [-1, height, width, channels])
    outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        images,
        tf.convert_to_tensor(gamma),
        tf.convert_to_tensor(beta),
        epsilon=epsilon,
        is_training=True,
    )
    # It tells the variance of the population of which the batch is a sample.
    count = tf.cast(tf.size(x) // channels, variance.dtype)
    return (
        tf.reshape(outputs, tf.shape(x)),
        mean,
        variance * (tf.maximum(count - 1, 1) / count),
    )
