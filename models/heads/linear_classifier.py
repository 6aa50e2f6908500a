"""The tagger of PANNs: one linear layer on the embedding."""

import keras
from keras import ops

from models.numerics.configured_model import ConfiguredModel


@keras.saving.register_keras_serializable(package="separated_scenes")
class LinearClassifier(ConfiguredModel):
    """Embedding h (N, embedding_dim) -> sigmoid scores (N, num_classes).

    float32 under any policy. "fc_audioset" of PANNs (Kong et al., TASLP
    2020).

    Args:
      embedding_dim: d, size of h.
      num_classes: C.
    """

    def __init__(self, embedding_dim: int, num_classes: int, **kwargs):
        # A reduced precision policy must not round h.
        super().__init__(autocast=False, **kwargs)
        self.num_classes = num_classes
        self.logits = keras.layers.Dense(
            num_classes, dtype="float32", name="logits"
        )
        self.logits.build((None, embedding_dim))
        self.built = True

    def call(self, h):
        return ops.sigmoid(self.logits(h))
