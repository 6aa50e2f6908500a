"""The head that predicts whether two embeddings coincide in time."""

import keras

from models.heads.pair_logits import pair_logits
from models.numerics.configured_model import ConfiguredModel
from models.numerics.precision import wide_dtype


@keras.saving.register_keras_serializable(package="separated_scenes")
class CoincidenceHead(ConfiguredModel):
    """MLP with one ReLU layer on [h_m, h_c], for all pairs of two batches.

    Call: h_m (N, d), h_c (K, d) -> logits (N, K). The first layer of the
    concatenation factors, W [h_m, h_c] = W_m h_m + W_c h_c, so N + K rows are
    multiplied and no pair is concatenated. Memory is that of the logits and
    of the rows: see `pair_logits`. Source: Jansen et al., ICASSP 2020;
    the hidden size is our choice.
    """

    def __init__(
        self, embedding_dim: int = 128, hidden_units: int = 512, **kwargs
    ):
        # A reduced precision policy must not round h or the logits.
        kwargs["dtype"] = wide_dtype()
        super().__init__(**kwargs)
        self.first = keras.layers.Dense(
            hidden_units, dtype=wide_dtype(), name="first"
        )
        self.second = keras.layers.Dense(
            hidden_units, use_bias=False, dtype=wide_dtype(), name="second"
        )
        self.logit = keras.layers.Dense(1, dtype=wide_dtype(), name="logit")
        self.first.build((None, embedding_dim))
        self.second.build((None, embedding_dim))
        self.logit.build((None, hidden_units))
        self.built = True

    def call(self, h_m, h_c):
        logits = pair_logits(
            self.first(h_m), self.second(h_c), self.logit.kernel[:, 0]
        )
        return logits + self.logit.bias
