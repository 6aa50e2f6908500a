"""Contrastive pretraining: one step on a batch of view pairs."""

import keras
import tensorflow as tf
from keras import ops

from models.embedding_model import EmbeddingModel
from models.heads.coincidence_head import CoincidenceHead
from models.heads.similarity_head import SimilarityHead
from models.losses.coincidence_loss import coincidence_loss
from models.losses.nt_xent import nt_xent
from models.losses.triplet import triplet_loss
from models.views.spec_augment import SpecAugment
from models.views.triplet_positive import TripletPositive
from train.contrastive_config import ContrastiveConfig

# Keys of a batch.
VIEWS = "views"  # (B, 2, view samples) float32
AUGMENT = "augment"  # (B, 2, draws of SpecAugment) in [0, 1)
# For the triplet objective only.
POSITIVE = "positive"  # (B, draws of TripletPositive) in [0, 1)
NOISE = "noise"  # (B, frames, bands) standard normal


class ContrastiveLearner(keras.Model):
    """Encoder, heads and losses of the WASPAA 2021 slides.

    L = L_SM + coincidence_weight * L_CP for `joint`; either alone for
    `similarity` and `coincidence`. `triplet` has no head: it is the loss of h.

    Args:
      embedding_model: the encoder with its front end.
      config: objective, temperature, weights and head sizes.

    Attributes:
      triplet_patch: frames and bands of NOISE; None without triplets.
    """

    def __init__(
        self, embedding_model: EmbeddingModel, config: ContrastiveConfig
    ):
        super().__init__()
        self.embedding_model = embedding_model
        self.config = config
        # Turns a batch into views; `OnTheFlyViews` separates it on the way.
        self.make_views = None
        self.spec_augment = None
        if config.spec_augment:
            self.spec_augment = SpecAugment(
                config.time_masks,
                config.time_mask_frames,
                config.freq_masks,
                config.freq_mask_bands,
                config.time_warp_frames,
            )
        self.triplet_positive = self.triplet_patch = None
        if config.objective == "triplet":
            frontend = embedding_model.frontend
            self.triplet_positive = TripletPositive(frontend)
            self.triplet_patch = (
                embedding_model.window_frames,
                frontend.mel_bands,
            )
        self.similarity_head = self.coincidence_head = None
        if config.objective in ("similarity", "joint"):
            self.similarity_head = SimilarityHead(
                embedding_model.embedding_dim,
                config.head_units,
                config.projection_dim,
            )
        if config.objective in ("coincidence", "joint"):
            self.coincidence_head = CoincidenceHead(
                embedding_model.embedding_dim, config.head_units
            )
        self.built = True

    def encode_views(self, batch, training: bool):
        """h of the first and of the second views: two (B, d)."""
        if self.make_views is not None:
            batch = self.make_views(batch)
        views = batch[VIEWS]
        # All first views, then all second ones: one call of the encoder, so
        # that both share the batch's statistics.
        flat = tf.concat([views[:, 0], views[:, 1]], axis=0)
        log_mel = self.embedding_model.frontend(flat)  # (2B, frames, bands)
        if self.triplet_positive is not None:
            anchors, second_views = tf.split(log_mel, 2)
            positives = self.triplet_positive(
                anchors, second_views, batch[POSITIVE], batch[NOISE]
            )
            log_mel = tf.concat([anchors, positives], axis=0)
        if self.spec_augment is not None:
            draws = batch[AUGMENT]
            draws = tf.concat([draws[:, 0], draws[:, 1]], axis=0)
            log_mel = self.spec_augment(log_mel, draws)
        h = self.embedding_model.encoder(log_mel, training=training)
        return tf.split(h, 2)

    def compute_losses(self, batch, training: bool) -> dict[str, tf.Tensor]:
        """Named scalars; "loss" is what is minimised."""
        h_a, h_b = self.encode_views(batch, training)
        scalars = {"loss": tf.constant(0.0)}
        if self.similarity_head is not None:
            losses, correct = nt_xent(
                self.similarity_head(h_a),
                self.similarity_head(h_b),
                self.config.temperature,
            )
            scalars["similarity"] = ops.mean(losses)
            scalars["contrastive_accuracy"] = ops.mean(correct)
            scalars["loss"] += scalars["similarity"]
        if self.coincidence_head is not None:
            losses, correct = coincidence_loss(self.coincidence_head(h_a, h_b))
            scalars["coincidence"] = ops.mean(losses)
            scalars["coincidence_accuracy"] = ops.mean(correct)
            weight = 1.0
            if self.config.objective == "joint":
                weight = self.config.coincidence_weight
            scalars["loss"] += weight * scalars["coincidence"]
        if self.triplet_positive is not None:
            losses, active = triplet_loss(h_a, h_b, self.config.triplet_margin)
            scalars["triplet"] = ops.mean(losses)
            scalars["active_triplets"] = ops.mean(active)
            scalars["loss"] += scalars["triplet"]
        return scalars

    def train_step(self, batch) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            scalars = self.compute_losses(batch, training=True)
            loss = self.optimizer.scale_loss(scalars["loss"])
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return scalars

    def test_step(self, batch) -> dict[str, tf.Tensor]:
        return self.compute_losses(batch, training=False)
