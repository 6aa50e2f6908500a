"""Requests that TensorFlow Serving answers before it takes others."""

import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from evaluate.serving.signatures import Signature

REQUESTS = pathlib.Path("assets.extra", "tf_serving_warmup_requests")


def write(
    served: Mapping[str, Signature], model_name: str, path: pathlib.Path
) -> int:
    """Writes the examples of each signature; returns how many there are.

    Args:
      served: signatures by name.
      model_name: that the server knows the model by.
      path: the SavedModel folder.
    """
    file = path / REQUESTS
    file.parent.mkdir(exist_ok=True)
    count = 0
    with tf.io.TFRecordWriter(str(file)) as writer:
        for name, signature in served.items():
            for example in signature.examples:
                writer.write(_prediction_log(model_name, name, example.inputs))
                count += 1
    return count


def _prediction_log(
    model_name: str, signature: str, inputs: Mapping[str, np.ndarray]
) -> bytes:
    """A PredictionLog of prediction_log.proto, of a PredictRequest.

    By hand: the package that has these protos is for clients, and needs the
    TensorFlow of its own version.
    """
    model_spec = _field(1, model_name.encode()) + _field(3, signature.encode())
    request = _field(1, model_spec)
    for name, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        request += _field(2, _field(1, name.encode()) + _field(2, tensor))
    return _field(6, _field(1, request))


def _field(number: int, value: bytes) -> bytes:
    """A field of a message or string; numbers are below 16."""
    return bytes([number << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])
