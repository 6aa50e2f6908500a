"""A network as one graph of plain operations, for other programs."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from evaluate.serving.fourier_products import fourier_products
from evaluate.serving.served_runs import ENCODER, SEPARATOR
from models.cnn14.folded import FoldedCNN14
from models.embedding_model import EmbeddingModel

WAVEFORM = "waveform"

# Of the largest value, or of 1.
TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True, eq=False)
class PlainGraph:
    """A function of a waveform (B, T), for any B and T from 1 on.

    Attributes:
      network: in Keras.
      function: `WAVEFORM` -> one output by name: `embedding` (B, d) of an
        encoder, `channels` (B, M, T) of a separator.
      window_samples: of the network.
    """

    network: keras.Model
    function: tf.types.experimental.PolymorphicFunction
    window_samples: int

    def largest_difference(
        self, run: Callable[[np.ndarray], np.ndarray], name: str
    ) -> float:
        """To Keras, over noise of several lengths.

        Args:
          run: what was made of the function.
          name: of that, for people.

        Raises:
          RuntimeError: it is above `TOLERANCE`.
        """
        random = np.random.default_rng(0)
        window = self.window_samples
        worst = 0.0
        for batch, length in (
            *((1, 1), (3, window // 2)),
            *((2, window), (1, int(3.3 * window))),
        ):
            waveform = random.normal(0, 0.1, (batch, length)).astype("f4")
            expected = np.asarray(self.network(waveform))
            error = np.abs(run(waveform) - expected).max()
            if not error <= TOLERANCE * max(1.0, np.abs(expected).max()):
                raise RuntimeError(
                    f"{name} is {error:.2g} off Keras for {batch} waveforms "
                    f"of {length} samples"
                )
            worst = max(worst, float(error))
        return worst


def plain_graph(part: str, network: keras.Model) -> PlainGraph:
    """That of a network.

    Args:
      part: `ENCODER` or `SEPARATOR`.
      network: the model.
    """
    call, output, window_samples = {
        ENCODER: lambda: (
            _embedding(network),
            "embedding",
            network.window_samples,
        ),
        SEPARATOR: lambda: (
            network,
            "channels",
            network.transform.window_samples,
        ),
    }[part]()
    function = tf.function(
        lambda waveform: {output: call(waveform)},
        input_signature=[
            tf.TensorSpec([None, None], tf.float32, name=WAVEFORM)
        ],
        autograph=False,
    )
    with fourier_products():
        function.get_concrete_function()  # Kept by it from now on.
    return PlainGraph(network, function, window_samples)


def _embedding(model: EmbeddingModel) -> Callable[[tf.Tensor], tf.Tensor]:
    bands = model.frontend.mel_bands
    network = FoldedCNN14(model.encoder, model.window_frames, bands)

    def embedding(waveform):
        windows = model.cut_windows(waveform)
        flat = tf.reshape(windows, [-1, model.window_samples])
        h = network(model.frontend(flat))
        shape = [-1, tf.shape(windows)[1], model.embedding_dim]
        return tf.reduce_mean(tf.reshape(h, shape), axis=1)

    return embedding
