"""The head on which NT-Xent is computed."""

import keras

from models.numerics.configured_model import ConfiguredModel
from models.numerics.precision import wide_dtype


@keras.saving.register_keras_serializable(package="separated_scenes")
class SimilarityHead(ConfiguredModel):
    """MLP with one ReLU layer: h (N, d) -> z (N, projection_dim).

    Used in training only; h is what is used downstream (slides; sizes are our
    choice).
    """

    def __init__(
        self,
        embedding_dim: int = 128,
        hidden_units: int = 512,
        projection_dim: int = 128,
        **kwargs,
    ):
        # A reduced precision policy must not round h or z.
        kwargs["dtype"] = wide_dtype()
        super().__init__(**kwargs)
        self.hidden = keras.layers.Dense(
            hidden_units, activation="relu", dtype=wide_dtype(), name="hidden"
        )
        self.projection = keras.layers.Dense(
            projection_dim, dtype=wide_dtype(), name="projection"
        )
        self.hidden.build((None, embedding_dim))
        self.projection.build((None, hidden_units))
        self.built = True

    def call(self, h):
        return self.projection(self.hidden(h))
