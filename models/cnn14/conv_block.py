"""The convolution block of CNN14."""

import keras

# PyTorch's defaults, in which the published weights were trained: momentum
# 0.1 there is 0.9 here.
BATCH_NORM = {"epsilon": 1e-5, "momentum": 0.9}


@keras.saving.register_keras_serializable(package="separated_scenes")
class ConvBlock(keras.layers.Layer):
    """Twice (3x3 convolution, batch norm, ReLU), then average pooling.

    Call: (B, frames, bands, C) -> (B, frames // pool, bands // pool, filters);
    what does not fill a pooling cell is dropped. Source: PANNs, table 1.

    Args:
      filters: output channels.
      pool: side of the pooling cell; 1 pools nothing.
      dropout: rate after the pooling, in training.
    """

    def __init__(self, filters: int, pool: int = 2, dropout=0.2, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.pool = pool
        self.dropout = dropout
        self.conv1, self.conv2 = (
            keras.layers.Conv2D(
                filters, 3, padding="same", use_bias=False, name=name
            )
            for name in ("conv1", "conv2")
        )
        self.bn1, self.bn2 = (
            keras.layers.BatchNormalization(name=name, **BATCH_NORM)
            for name in ("bn1", "bn2")
        )
        self.relu = keras.layers.ReLU(name="relu")
        self.average = keras.layers.AveragePooling2D(pool, name="average")
        self.drop = keras.layers.Dropout(dropout, name="drop")

    def build(self, input_shape):
        inner_shape = (*input_shape[:-1], self.filters)
        self.conv1.build(input_shape)
        self.bn1.build(inner_shape)
        self.conv2.build(inner_shape)
        self.bn2.build(inner_shape)

    def parts(self) -> list[keras.layers.Layer]:
        """The layers, in the order in which `call` calls them."""
        pooling = [self.average] if self.pool > 1 else []
        return [
            *(self.conv1, self.bn1, self.relu),
            *(self.conv2, self.bn2, self.relu),
            *pooling,
            self.drop,
        ]

    def call(self, x, training=False):
        for part in self.parts():
            x = part(x, training=training)
        return x

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "pool": self.pool,
            "dropout": self.dropout,
        }
