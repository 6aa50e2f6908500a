"""Sizes of the published networks: python -m tests.bench.model_sizes.

A multiply-add is one multiplication with its addition. Those of matrix
products, convolutions and mel bands are counted, by TensorFlow's profiler;
FFTs, means, and what is done to single values, are not. A convolution counts
with its zeros of padding, also where we leave them out
(models/cnn14/convolution.py).
"""

from data.run import environment

environment.prepare()

import math  # noqa: E402
from unittest import mock  # noqa: E402

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402
from tensorflow.compat.v1 import profiler  # noqa: E402

from models.cnn14.cnn14 import CNN14  # noqa: E402
from models.cnn14.convolution import Convolution  # noqa: E402
from models.frontend.log_mel import LogMel  # noqa: E402
from models.frontend.panns_log_mel import PANNsLogMel  # noqa: E402
from models.heads.linear_classifier import LinearClassifier  # noqa: E402
from models.separation.feature_norm import FeatureNorm  # noqa: E402
from models.separation.separator import Separator  # noqa: E402

CLIP_S = 10
_COUNTED = ["Conv2D", "DepthwiseConv2dNative", "MatMul", "BatchMatMul.*"]
_PANNS = """
PANNs gives 80,753,615 parameters, the trainable ones, and 42.22e9 multi-adds
for 10 s at 32 kHz: it counts multiplications and additions apart, the STFT as
a convolution, and two for each value that is batch-normed."""


def multiply_adds(
    layers: list[keras.layers.Layer], input_shape: tuple[int, ...]
) -> int:
    """Those of layers that follow on one another, for a float32 input."""

    # keras.Sequential would call them for the shapes as well.
    def network(x):
        for layer in layers:
            x = layer(x)
        return x

    function = tf.function(
        network, [tf.TensorSpec(input_shape)], autograph=False
    )
    with (
        mock.patch.object(
            Convolution, "convolution_op", keras.layers.Conv2D.convolution_op
        ),
        mock.patch.object(
            FeatureNorm, "_mean_by_product", lambda norm, _: norm._mean
        ),
    ):
        graph = function.get_concrete_function().graph
    options = profiler.ProfileOptionBuilder(
        profiler.ProfileOptionBuilder.float_operation()
    )
    options.with_accounted_types(_COUNTED).with_empty_output()
    return profiler.profile(graph, options=options.build()).total_float_ops // 2


def sizes(layers: list[keras.layers.Layer]) -> tuple[int, int, float]:
    """Parameters, trainable ones, millions of multiply-adds a second.

    Args:
      layers: they follow on one another, from the waveform on.
    """
    samples = CLIP_S * layers[0].sample_rate_hz
    count = multiply_adds(layers, (1, samples))
    weights = sum(layer.count_params() for layer in layers)
    trainable = sum(
        math.prod(variable.shape)
        for layer in layers
        for variable in layer.trainable_variables
    )
    return weights, trainable, round(count / CLIP_S / 1e6, 2)


# Title → makes the layers.
PUBLISHED = {
    "TDCN++, M = 8, as in the reference": lambda: [Separator(8)],
    "TDCN++, M = 2": lambda: [Separator(2)],
    'CNN14, d = 128: "~75M" on the slides': lambda: [LogMel(), CNN14(128)],
    "CNN14, d = 1024": lambda: [LogMel(), CNN14(1024)],
    "CNN14, as in PANNs": lambda: [
        PANNsLogMel(32000),
        CNN14(None, hidden_layer=True),
        LinearClassifier(2048, 527),
    ],
}


def main() -> None:
    print(f"{'':38}{'parameters':>12}{'trainable':>12}{'M mult-adds/s':>15}")
    for title, make in PUBLISHED.items():
        weights, trainable, count = sizes(make())
        print(f"{title:38}{weights:12,}{trainable:12,}{count:15,.2f}")
    print(_PANNS)


if __name__ == "__main__":
    main()
