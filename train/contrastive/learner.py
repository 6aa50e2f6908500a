"""Contrastive pretraining: one step on a batch of view pairs."""

from collections.abc import Callable

import keras
import tensorflow as tf

from models.embedding_model import EmbeddingModel
from models.heads.coincidence_head import CoincidenceHead
from models.heads.similarity_head import SimilarityHead
from models.losses.coincidence_loss import coincidence_loss
from models.losses.nt_xent import nt_xent
from models.losses.triplet import triplet_loss
from models.metrics.alignment_uniformity import alignment, uniformity
from models.metrics.effective_rank import effective_rank
from models.views.spec_augment import SpecAugment
from models.views.triplet_positive import TripletPositive
from train.contrastive import accumulated_gradients, fused_batch_norm
from train.contrastive.contrastive_config import ContrastiveConfig
from train.contrastive.view_pipeline import AUGMENT, NOISE, POSITIVE, VIEWS
from train.loop import cross_replica
from train.loop.guarded_update import GuardedUpdate


class ContrastiveLearner(keras.Model):
    """Encoder, heads and losses of the WASPAA 2021 slides.

    L = L_SM + coincidence_weight * L_CP for `joint`; either alone for
    `similarity` and `coincidence`. `triplet` has no head: it is the loss of h.

    Args:
      embedding_model: the encoder with its front end.
      config: objective, temperature, weights and head sizes.
      make_views: makes views of a batch that has none yet, such as
        `OnTheFlyViews`; None: batches hold VIEWS.
    """

    def __init__(
        self,
        embedding_model: EmbeddingModel,
        config: ContrastiveConfig,
        make_views: Callable[[dict], dict] | None = None,
    ):
        super().__init__()
        self.embedding_model = embedding_model
        fused_batch_norm.use_in(embedding_model.encoder)
        self.config = config
        self.make_views = make_views
        self.max_gradient_norm = config.max_gradient_norm
        self.spec_augment = None
        if config.spec_augment:
            self.spec_augment = SpecAugment(
                config.time_masks,
                config.time_mask_frames,
                config.freq_masks,
                config.freq_mask_bands,
                config.time_warp_frames,
            )
        self.triplet_positive = None
        self.similarity_head = self.coincidence_head = None
        losses = config.loss_weights()
        if "triplet" in losses:
            self.triplet_positive = TripletPositive(embedding_model.frontend)
        if "similarity" in losses:
            self.similarity_head = SimilarityHead(
                embedding_model.embedding_dim,
                config.head_units,
                config.projection_dim,
            )
        if "coincidence" in losses:
            self.coincidence_head = CoincidenceHead(
                embedding_model.embedding_dim, config.head_units
            )
        self.built = True

    def log_mel_views(self, batch) -> tf.Tensor:
        """(2n, frames, bands): all first views, then all second ones."""
        if self.make_views is not None:
            batch = self.make_views(batch)
        views = batch[VIEWS]
        flat = tf.concat([views[:, 0], views[:, 1]], axis=0)
        log_mel = self.embedding_model.frontend(flat)
        if self.triplet_positive is not None:
            anchors, second_views = tf.split(log_mel, 2)
            positives = self.triplet_positive(
                anchors,
                second_views,
                batch[POSITIVE],
                batch[NOISE],
                cross_replica.gather(anchors),
                cross_replica.offset(anchors),
            )
            log_mel = tf.concat([anchors, positives], axis=0)
        if self.spec_augment is not None:
            draws = batch[AUGMENT]
            draws = tf.concat([draws[:, 0], draws[:, 1]], axis=0)
            log_mel = self.spec_augment(log_mel, draws)
        return log_mel

    def encode_views(self, batch, training: bool):
        """h of the first and of the second views: two (n, d)."""
        # One call of the encoder, so that both share the batch's statistics.
        log_mel = self.log_mel_views(batch)
        h = self.embedding_model.encoder(log_mel, training=training)
        return tf.split(h, 2)

    def losses_of_embeddings(self, h_a, h_b) -> dict[str, tf.Tensor]:
        """Shares (see `cross_replica`) of named scalars.

        Args:
          h_a, h_b: (n, d) of this replica's first and second views.

        Returns:
          Losses and accuracies; "loss" is what is minimised.
        """
        gather, offset = cross_replica.gather, cross_replica.offset(h_a)
        values = {}  # (n,) by name
        if self.similarity_head is not None:
            z_a, z_b = self.similarity_head(h_a), self.similarity_head(h_b)
            values["similarity"], values["contrastive_accuracy"] = nt_xent(
                z_a,
                z_b,
                self.config.temperature,
                gather(z_a),
                gather(z_b),
                offset,
            )
        if self.coincidence_head is not None:
            logits = self.coincidence_head(h_a, gather(h_b))
            values["coincidence"], values["coincidence_accuracy"] = (
                coincidence_loss(logits, offset)
            )
        if self.triplet_positive is not None:
            values["triplet"], values["active_triplets"] = triplet_loss(
                h_a, h_b, self.config.triplet_margin, gather(h_b), offset
            )
        scalars = tf.nest.map_structure(cross_replica.mean_share, values)
        weights = self.config.loss_weights()
        loss = sum(weight * scalars[name] for name, weight in weights.items())
        return {"loss": loss, **scalars}

    def compute_losses(self, batch, training: bool) -> dict[str, tf.Tensor]:
        """Named scalars; "loss" is what is minimised."""
        return self.losses_of_embeddings(*self.encode_views(batch, training))

    def train_step(self, batch) -> dict[str, tf.Tensor]:
        update = GuardedUpdate(self)
        if self.config.micro_batch_size:
            gradients, scalars = accumulated_gradients.gradients_of(
                self, batch, self.config.micro_batch_size
            )
            return update.apply(gradients, scalars)
        with tf.GradientTape() as tape:
            scalars = self.compute_losses(batch, training=True)
            loss = self.optimizer.scale_loss(scalars["loss"])
        gradients = tape.gradient(loss, self.trainable_variables)
        return update.apply(gradients, scalars)

    def diagnostics(self, batch) -> dict[str, tf.Tensor]:
        """Shares of what tells a collapsed embedding from a healthy one.

        Of views as in training, without dropout: alignment and uniformity of
        z, or of h where there is no similarity head; norm and effective rank
        of h.
        """
        h_a, h_b = self.encode_views(batch, training=False)
        head = self.similarity_head or tf.identity
        z_a, z_b = head(h_a), head(h_b)
        all_z_a, all_z_b, all_h_a, all_h_b = map(
            cross_replica.gather, (z_a, z_b, h_a, h_b)
        )
        norms = tf.norm(tf.cast(tf.concat([h_a, h_b], 0), tf.float32), axis=1)
        return {
            "alignment": cross_replica.mean_share(alignment(z_a, z_b)),
            "uniformity": cross_replica.equal_share(
                (uniformity(all_z_a) + uniformity(all_z_b)) / 2
            ),
            "h_norm": cross_replica.mean_share(norms),
            "effective_rank": cross_replica.equal_share(
                effective_rank(tf.concat([all_h_a, all_h_b], 0))
            ),
        }
