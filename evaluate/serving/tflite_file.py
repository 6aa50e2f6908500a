"""Networks as TensorFlow Lite files, checked in its interpreter."""

import pathlib

import tensorflow as tf

from data.run.atomic_write import atomic_path
from evaluate.serving.plain_graph import PlainGraph


def export(graph: PlainGraph, path: pathlib.Path) -> float:
    """Writes a file, which appears once the interpreter agrees with Keras.

    It has built-in operations only.

    Returns:
      The largest difference.

    Raises:
      RuntimeError: they disagree.
    """
    concrete = graph.function.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    with atomic_path(path) as beside:
        beside.write_bytes(converter.convert())
        interpreter = tf.lite.Interpreter(str(beside))

        def run(waveform):
            [given] = interpreter.get_input_details()
            interpreter.resize_tensor_input(given["index"], waveform.shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(given["index"], waveform)
            interpreter.invoke()
            [answer] = interpreter.get_output_details()
            return interpreter.get_tensor(answer["index"])

        return graph.largest_difference(run, path.name)
