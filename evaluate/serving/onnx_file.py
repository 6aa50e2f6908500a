"""Networks as ONNX files, checked in onnxruntime."""

import pathlib

from data.run.atomic_write import atomic_path
from data.run.errors import UserError
from evaluate.serving.plain_graph import WAVEFORM, PlainGraph

try:
    import onnxruntime
    import tf2onnx
except ImportError as error:
    raise UserError(
        f"ONNX needs {error.name}: pip install onnx==1.17.0 tf2onnx==1.17.0 "
        "onnxruntime"
    ) from error

_OPSET = 17


def export(graph: PlainGraph, path: pathlib.Path) -> float:
    """Writes a file, which appears once onnxruntime agrees with Keras.

    Returns:
      The largest difference.

    Raises:
      RuntimeError: they disagree.
    """
    with atomic_path(path) as beside:
        tf2onnx.convert.from_function(
            graph.function,
            input_signature=graph.function.input_signature,
            opset=_OPSET,
            output_path=str(beside),
        )
        session = onnxruntime.InferenceSession(str(beside))

        def run(waveform):
            [answer] = session.run(None, {WAVEFORM: waveform})
            return answer

        return graph.largest_difference(run, path.name)
