"""The probe: a classifier with one hidden layer on frozen embeddings."""

import keras
import numpy as np
from keras import ops

from models.numerics.configured_model import ConfiguredModel


@keras.saving.register_keras_serializable(package="separated_scenes")
class ShallowClassifier(ConfiguredModel):
    """Embeddings to class logits.

    Standardisation, Dense with ReLU, Dense. One hidden layer is the slides';
    its 512 units, and the standardisation by mean and deviation of the
    training windows, are our choice. The latter puts representations of any
    scale on the same footing under one learning rate.

    Call: (B, embedding_dim) -> logits (B, num_classes) float32.

    Args:
      embedding_dim: d, size of the input.
      num_classes: C.
      hidden_units: of the hidden layer.
    """

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        hidden_units: int = 512,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.shift = self.add_weight(
            shape=(embedding_dim,), trainable=False, name="shift"
        )
        self.scale = self.add_weight(
            shape=(embedding_dim,),
            initializer="ones",
            trainable=False,
            name="scale",
        )
        self.hidden = keras.layers.Dense(
            hidden_units, activation="relu", name="hidden"
        )
        self.logits = keras.layers.Dense(num_classes, name="logits")
        # Built here, so that weights can be set and loaded before a call.
        self(ops.zeros((1, embedding_dim)))

    def adapt(self, embeddings: np.ndarray) -> None:
        """Sets the standardisation to that of `embeddings` (N, d)."""
        mean = np.mean(embeddings, axis=0, dtype=np.float64)
        deviation = np.std(embeddings, axis=0, dtype=np.float64)
        # A dimension that never varied carries nothing but rounding noise:
        # it is set to 0 and not blown up.
        varies = deviation > 1e-6 * (1 + np.abs(mean))
        self.shift.assign(mean)
        self.scale.assign(
            np.where(varies, 1 / np.where(varies, deviation, 1), 0)
        )

    def call(self, embeddings):
        standard = (embeddings - self.shift) * self.scale
        return self.logits(self.hidden(standard))
