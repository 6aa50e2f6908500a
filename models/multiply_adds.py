"""Multiply-adds of a network, counted from the layers that it calls."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import keras

from models.frontend.log_mel import LogMel
from models.frontend.panns_log_mel import PANNsLogMel
from models.separation.scaled_dense import ScaledDense


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer.

    Attributes:
      layer: the layer.
      depth: number of calls that it is inside of.
      output_shape: what it returned; None where that is not one tensor.
      multiply_adds: its own and those of the calls inside it.
    """

    layer: keras.layers.Layer
    depth: int
    output_shape: tuple[int, ...] | None
    multiply_adds: int


def layer_calls(
    function: Callable, input_shape: tuple[int, ...]
) -> list[LayerCall]:
    """Calls of layers in `function(input)`, outer ones before inner ones.

    Counted are the products of matrices, convolutions and mel bands; not the
    FFTs, nor what is done to single values (norms, activations, masks,
    pooling). Nothing is computed: the input has a shape only.

    Args:
      function: takes one tensor; a network, or what calls several.
      input_shape: of the input, with the batch.
    """
    calls = []
    outer = []  # Multiply-adds so far of the calls that are not over.
    call_layer = keras.layers.Layer.__call__

    def recorded(layer, *args, **kwargs):
        place, depth = len(calls), len(outer)
        calls.append(None)
        outer.append(0)
        outputs = call_layer(layer, *args, **kwargs)
        shape = getattr(outputs, "shape", None)
        shape = None if shape is None else tuple(shape)
        count = outer.pop() + _own_multiply_adds(layer, args[0].shape, shape)
        if outer:
            outer[-1] += count
        calls[place] = LayerCall(layer, depth, shape, count)
        return outputs

    # Keras has no hooks around a call.
    keras.layers.Layer.__call__ = recorded
    try:
        function(keras.Input(batch_shape=input_shape))
    finally:
        keras.layers.Layer.__call__ = call_layer
    return calls


def _own_multiply_adds(layer, input_shape, output_shape) -> int:
    """Without those of layers that it calls."""
    if isinstance(layer, (keras.layers.Dense, ScaledDense)):
        of_each_output = input_shape[-1]
    elif isinstance(layer, keras.layers.Conv2D):
        of_each_output = math.prod(layer.kernel_size) * input_shape[-1]
    elif isinstance(layer, keras.layers.DepthwiseConv1D):
        of_each_output = math.prod(layer.kernel_size)
    elif isinstance(layer, LogMel):
        of_each_output = layer.fft_length // 2 + 1
    elif isinstance(layer, PANNsLogMel):
        of_each_output = layer.mel_matrix.shape[0]
    else:
        return 0
    return math.prod(output_shape) * of_each_output
