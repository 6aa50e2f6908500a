"""Separator training: one MixIT step on a batch of mixture pairs."""

import keras
import tensorflow as tf
from keras import ops

from models.losses.mixit import mixit_loss
from models.separation.separator import Separator


class SeparationLearner(keras.Model):
    """A separator that is trained on sums of two unlabeled mixtures.

    Args:
      separator: (B, T) -> (B, M, T).
      max_snr_db: soft cap of the loss.
      mixit_search: one of `mixit.SEARCHES`.
    """

    def __init__(
        self,
        separator: Separator,
        max_snr_db: float,
        mixit_search: str = "exact",
    ):
        super().__init__()
        self.separator = separator
        self.max_snr_db = max_snr_db
        self.mixit_search = mixit_search
        self.built = True

    def compute_losses(
        self, mixtures: tf.Tensor, training: bool
    ) -> dict[str, tf.Tensor]:
        """Named scalars of mixtures (B, 2, T); "loss" is minimised, in dB."""
        estimates = self.separator(
            tf.reduce_sum(mixtures, axis=1), training=training
        )  # (B, M, T)
        losses, assignment = mixit_loss(
            mixtures, estimates, self.max_snr_db, self.mixit_search
        )
        # Share of examples whose estimates all went to one mixture: the
        # separator left the other one nothing.
        given = ops.sum(assignment, axis=2)  # (B, 2)
        one_sided = ops.cast(ops.min(given, axis=1) == 0, "float32")
        return {
            "loss": ops.mean(losses),
            "one_sided": ops.mean(one_sided),
        }

    def train_step(self, mixtures) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            scalars = self.compute_losses(mixtures, training=True)
            loss = self.optimizer.scale_loss(scalars["loss"])
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return scalars

    def test_step(self, mixtures) -> dict[str, tf.Tensor]:
        return self.compute_losses(mixtures, training=False)
