"""Separator training: one MixIT step on a batch of mixture pairs."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from models.losses.mixit import mixit_loss
from models.metrics.channel_activity import active_channels
from models.metrics.si_sdr import SILENT_POWER, si_sdr_improvement
from models.separation.separator import Separator
from train.loop import cross_replica
from train.loop.guarded_update import GuardedUpdate
from train.separation.separation_config import SeparationConfig


class SeparationLearner(keras.Model):
    """A separator that is trained on sums of two unlabeled mixtures.

    Args:
      separator: (B, T) -> (B, M, T).
      config: search and cap of the loss.
    """

    def __init__(self, separator: Separator, config: SeparationConfig):
        super().__init__()
        self.separator = separator
        self.config = config
        self.max_gradient_norm = config.max_gradient_norm
        self.built = True

    def compute_losses(
        self, mixtures: tf.Tensor, training: bool
    ) -> dict[str, tf.Tensor]:
        """Shares of named scalars of mixtures (n, 2, T).

        "loss" is what is minimised, in dB.
        """
        estimates = self.separator(
            tf.reduce_sum(mixtures, axis=1), training=training
        )  # (B, M, T)
        losses, assignment = self._mixit(mixtures, estimates)
        # Share of examples whose estimates all went to one mixture: the
        # separator left the other one nothing.
        given = ops.sum(assignment, axis=2)  # (B, 2)
        one_sided = ops.cast(ops.min(given, axis=1) == 0, "float32")
        return tf.nest.map_structure(
            cross_replica.mean_share, {"loss": losses, "one_sided": one_sided}
        )

    def train_step(self, mixtures) -> dict[str, tf.Tensor]:
        update = GuardedUpdate(self)
        with tf.GradientTape() as tape:
            scalars = self.compute_losses(mixtures, training=True)
            loss = self.optimizer.scale_loss(scalars["loss"])
        gradients = tape.gradient(loss, self.trainable_variables)
        return update.apply(gradients, scalars)

    def diagnostics(self, mixtures) -> dict[str, tf.Tensor]:
        """Shares of how much of the channels is used, and to what effect.

        Of sums of two mixtures (n, 2, T) as in training: the share of
        channels that are active, and the SI-SDR improvement, in dB, of what
        the loss assigns to a mixture over the sum. The latter is the mean
        over examples of which both mixtures sound and both are given a
        channel (see "one_sided"); NaN where there is none.
        """
        total = tf.reduce_sum(mixtures, axis=1)
        estimates = tf.cast(self.separator(total, training=False), tf.float32)
        _, assignment = self._mixit(mixtures, estimates)
        active = active_channels(estimates, total)  # (n, M)
        improvement_db, counts = tf.numpy_function(
            _improvement_db,
            [mixtures, estimates, assignment],
            [tf.float32, tf.float32],
        )
        count = cross_replica.total(tf.reduce_sum(counts))
        return {
            "channel_activity": cross_replica.mean_share(
                tf.reduce_mean(active, axis=1)
            ),
            "si_sdr_improvement_db": tf.reduce_sum(improvement_db) / count,
        }

    def _mixit(self, mixtures, estimates):
        return mixit_loss(
            mixtures,
            estimates,
            self.config.max_snr_db,
            self.config.mixit_search,
        )


def _improvement_db(
    mixtures: np.ndarray, estimates: np.ndarray, assignment: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of an example's two mixtures, and 1, where it counts; else 0, 0."""
    values, counts = np.zeros((2, len(mixtures)), np.float32)
    for number, (pair, channels, given) in enumerate(
        zip(mixtures, estimates, assignment, strict=True)
    ):
        sounds = np.mean(pair**2, axis=1) > SILENT_POWER
        if sounds.all() and given.any(axis=1).all():
            values[number] = si_sdr_improvement(
                pair, given @ channels, pair.sum(axis=0)
            ).mean()
            counts[number] = 1
    return values, counts
