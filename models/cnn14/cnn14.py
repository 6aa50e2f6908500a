"""CNN14: log-mel patches to embeddings."""

from collections.abc import Callable

import keras
from keras import ops

from models.cnn14.batch_norm import BatchNorm
from models.cnn14.convolution import Convolution
from models.numerics.configured_model import ConfiguredModel
from models.numerics.precision import loss_dtype, wide_dtype

NUM_BLOCKS = 6
# Five poolings by two: shorter patches would leave no frame.
MIN_FRAMES = 2 ** (NUM_BLOCKS - 1)


@keras.saving.register_keras_serializable(package="separated_scenes")
class CNN14(ConfiguredModel):
    """The encoder of PANNs (Kong et al., TASLP 2020), with a bottleneck.

    Call: log-mel (B, frames, mel_bands) -> embedding h (B, embedding_dim)
    float32. Batch norm over the mel bands, six convolution blocks of 64 to
    2048 channels, mean over frequency, max plus mean over time, then the
    bottleneck of the WASPAA 2021 slides.

    Args:
      embedding_dim: d, size of h; the slides use 128 and 1024. None: no
        bottleneck, h is what would enter it (2048 * width).
      width: multiplies all channel counts; 1 is the published network (our
        choice, for small machines).
      hidden_layer: whether the fully connected layer with ReLU of PANNs stands
        before the bottleneck. Off: the slides' "~75M" is the network without.
      dropout: rate after each block, in training.
      hidden_dropout: rate before and after the hidden layer, in training, as
        in PANNs.

    Attributes:
      embedding_dim: size of h, with a bottleneck or without.

    Raises:
      ValueError: a size is not positive, or mel_bands is below 32.
    """

    def __init__(
        self,
        embedding_dim: int | None = 128,
        width: float = 1.0,
        hidden_layer: bool = False,
        mel_bands: int = 64,
        dropout: float = 0.2,
        hidden_dropout: float = 0.5,
        **kwargs,
    ):
        super().__init__(**kwargs)
        filters = [round(width * 64 * 2**i) for i in range(NUM_BLOCKS)]
        h_dim = filters[-1] if embedding_dim is None else embedding_dim
        if h_dim < 1 or filters[0] < 1:
            raise ValueError(
                "embedding_dim and 64 * width must be at least 1. Received: "
                f"embedding_dim={embedding_dim}, width={width}"
            )
        if mel_bands < MIN_FRAMES:
            raise ValueError(
                f"five poolings need mel_bands >= {MIN_FRAMES}. Received: "
                f"mel_bands={mel_bands}"
            )
        self.embedding_dim = h_dim

        self.bn0 = BatchNorm(name="bn0")
        self.blocks = [
            ConvBlock(
                channels,
                pool=2 if number < NUM_BLOCKS else 1,
                dropout=dropout,
                name=f"conv_block{number}",
            )
            for number, channels in enumerate(filters, start=1)
        ]
        self.fc1 = self.drop_pooled = self.drop_hidden = None
        if hidden_layer:
            self.drop_pooled = keras.layers.Dropout(
                hidden_dropout, name="drop_pooled"
            )
            self.fc1 = keras.layers.Dense(
                filters[-1], activation="relu", name="fc1"
            )
            self.drop_hidden = keras.layers.Dropout(
                hidden_dropout, name="drop_hidden"
            )
        self.bottleneck = None
        if embedding_dim is not None:
            self.bottleneck = keras.layers.Dense(
                embedding_dim, dtype=wide_dtype(), name="bottleneck"
            )
        # Now, so that weights can be set and loaded before a call.
        self.build((None, None, mel_bands))

    def build(self, input_shape):
        self.bn0.build(input_shape)
        channels = 1
        for block in self.blocks:
            block.build((None, None, None, channels))
            channels = block.filters
        for dense in filter(None, (self.fc1, self.bottleneck)):
            dense.build((None, channels))
            channels = dense.units
        self.built = True

    def call(self, log_mel, training=False):
        x = _add_channel(self.bn0(log_mel, training=training))
        for block in self.blocks:
            x = block(x, training=training)
        x = _pool_time_and_bands(x)
        for part in self._readout():
            x = part(x, training=training)
        return x

    def segments(self) -> list[list[Callable]]:
        """The network in parts, cut where what passes is small.

        One after the other, called as `part(x, training=...)`, they do what
        `call` does. Each is a Keras layer, or a function without weights.
        """
        return [
            [self.bn0, _add_channel],
            *(block.parts() for block in self.blocks),
            [_pool_time_and_bands, *self._readout()],
        ]

    def _readout(self) -> list[Callable]:
        """From pooled features to h."""
        layers = self.drop_pooled, self.fc1, self.drop_hidden, self.bottleneck
        return [*(layer for layer in layers if layer is not None), _widen]


@keras.saving.register_keras_serializable(package="separated_scenes")
class ConvBlock(keras.layers.Layer):
    """Twice (3x3 convolution, batch norm, ReLU), then average pooling.

    Call: (B, frames, bands, C) -> (B, frames // pool, bands // pool, filters);
    what does not fill a pooling cell is dropped. Source: PANNs, table 1.

    Args:
      pool: side of the pooling cell; 1 pools nothing.
      dropout: rate after the pooling, in training.
    """

    def __init__(self, filters: int, pool: int = 2, dropout=0.2, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.pool = pool
        self.conv1, self.conv2 = (
            Convolution(filters, name=name) for name in ("conv1", "conv2")
        )
        self.bn1, self.bn2 = (BatchNorm(name=name) for name in ("bn1", "bn2"))
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


def _add_channel(x, training=False):
    return ops.expand_dims(x, -1)  # (B, frames, mel_bands, 1)


def _pool_time_and_bands(x, training=False):
    x = ops.mean(x, axis=2)  # (B, frames / 32, channels)
    return ops.max(x, axis=1) + ops.mean(x, axis=1)


def _widen(h, training=False):
    # h enters cosines and losses, which need at least float32.
    return ops.cast(h, loss_dtype(h))
