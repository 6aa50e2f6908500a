"""What a training step exchanges with the other replicas.

Every figure of a step is a share: the sum over replicas is the figure of the
global batch, and so are losses, gradients and logged numbers alike. Replicas
hold equally many examples. With one replica nothing is exchanged.
"""

import tensorflow as tf


def num_replicas() -> int:
    """Replicas that run this step together."""
    return tf.distribute.get_replica_context().num_replicas_in_sync


def gather(rows: tf.Tensor) -> tf.Tensor:
    """The global batch of some rows, with gradient to all replicas.

    Args:
      rows: (n, ...) of this replica; all sizes are known.

    Returns:
      (N, ...) of all replicas, in their order.
    """
    context = tf.distribute.get_replica_context()
    replicas = context.num_replicas_in_sync
    if replicas == 1:
        return rows
    # A sum of zeros and own rows: unlike `all_gather` of known shape, and one
    # exchange instead of two.
    replica = context.replica_id_in_sync_group
    is_own = tf.one_hot(replica, replicas, dtype=rows.dtype)
    is_own = tf.reshape(is_own, [replicas] + [1] * len(rows.shape))
    spread = tf.reshape(is_own * rows, [-1, *rows.shape[1:]])
    spread.set_shape([replicas * rows.shape[0], *rows.shape[1:]])
    return total(spread)


def offset(rows: tf.Tensor) -> tf.Tensor | int:
    """Place of the first of this replica's rows in what `gather` gives."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return 0
    return context.replica_id_in_sync_group * rows.shape[0]


def mean_share(values: tf.Tensor) -> tf.Tensor:
    """This replica's share of the mean over the global batch, of its (n,)."""
    return tf.nn.compute_average_loss(values)


def equal_share(value: tf.Tensor) -> tf.Tensor:
    """This replica's share of a figure that all replicas know."""
    return value / num_replicas()


def total(value: tf.Tensor) -> tf.Tensor:
    """Sum over replicas."""
    return totals([value])[0]


def totals(values: list[tf.Tensor]) -> list[tf.Tensor]:
    """Sum over replicas of each, in as few exchanges as there are types."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return values
    sums = {}
    for dtype in dict.fromkeys(value.dtype for value in values):
        places = [k for k, v in enumerate(values) if v.dtype == dtype]
        summed = context.all_reduce(
            tf.distribute.ReduceOp.SUM, [values[k] for k in places]
        )
        sums.update(zip(places, summed, strict=True))
    return [sums[k] for k in range(len(values))]
