"""An update of the weights that is left out where it would break them."""

import keras
import tensorflow as tf

from models.numerics.precision import loss_dtype
from train.loop import cross_replica


class GuardedUpdate:
    """One update of a learner, made before its forward pass.

    Where the loss or a gradient of the global batch is not finite, no weight
    moves, no state of the optimizer, and no moving statistic. A
    `max_gradient_norm` of 0 clips nothing.
    """

    def __init__(self, learner: keras.Model):
        self._learner = learner
        self._statistics = [
            variable
            for variable in learner.non_trainable_variables
            if tf.as_dtype(variable.dtype).is_floating
        ]
        self._before = [tf.identity(v.value) for v in self._statistics]

    def apply(
        self, gradients: list[tf.Tensor], scalars: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Applies gradients of the scaled loss, summed over replicas.

        Args:
          gradients: of this replica's share of the loss, for each trainable
            variable.
          scalars: shares; "loss" among them.

        Returns:
          The scalars with shares of "gradient_norm" (before clipping), and of
          "skipped": 1 where the update was left out. Where it was, the other
          figures are 0.
        """
        optimizer = self._learner.optimizer
        gradients = cross_replica.totals(gradients)
        # A loss scale is divided out again by the optimizer itself, and made
        # smaller by gradients that overflow: while it can be, they are no
        # fault.
        dtype = loss_dtype(*gradients)
        scale = optimizer.scale_loss(tf.constant(1.0, dtype))
        squares = [tf.cast(tf.nn.l2_loss(g), dtype) for g in gradients]
        norm = tf.sqrt(2 * tf.add_n(squares)) / scale
        finite = tf.math.is_finite(cross_replica.total(scalars["loss"]))
        overflows = ~tf.math.is_finite(norm) & (scale > 1)
        norm = tf.where(overflows, tf.zeros_like(norm), norm)
        finite &= tf.math.is_finite(norm)
        if self._learner.max_gradient_norm:
            shrink = self._learner.max_gradient_norm / tf.maximum(
                norm, self._learner.max_gradient_norm
            )
            gradients = [g * tf.cast(shrink, g.dtype) for g in gradients]
        # What updates variables of several replicas may stand in no branch of
        # a replica, but in one across replicas.
        tf.distribute.get_replica_context().merge_call(
            self._move_or_restore, args=(finite, gradients, self._before)
        )
        figures = scalars | {"gradient_norm": cross_replica.equal_share(norm)}
        figures = {n: tf.where(finite, v, 0.0) for n, v in figures.items()}
        skipped = tf.where(finite, 0.0, 1.0)
        return figures | {"skipped": cross_replica.equal_share(skipped)}

    def _move_or_restore(self, strategy, finite, gradients, before) -> None:
        in_replicas = strategy.extended.call_for_each_replica
        tf.cond(
            strategy.experimental_local_results(finite)[0],
            lambda: in_replicas(self._move, args=(gradients,)),
            lambda: in_replicas(self._restore, args=(before,)),
        )

    def _move(self, gradients: list[tf.Tensor]) -> None:
        self._learner.optimizer.apply(
            gradients, self._learner.trainable_variables
        )

    def _restore(self, before: list[tf.Tensor]) -> None:
        for variable, value in zip(self._statistics, before, strict=True):
            variable.assign(value)
