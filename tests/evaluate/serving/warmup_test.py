"""Warm-up requests, as TensorFlow Serving's own protos read them."""

import numpy as np
import pytest
import tensorflow as tf

from evaluate.serving import warmup
from evaluate.serving.signatures import signatures
from tests import skips
from tests.evaluate.toy_runs import toy_model

prediction_log_pb2 = pytest.importorskip(
    "tensorflow_serving.apis.prediction_log_pb2",
    reason=skips.missing("tensorflow-serving-api"),
)


def test_they_are_the_examples_of_the_signatures(tmp_path):
    served = signatures({"encoder": toy_model()})
    count = warmup.write(served, "a name", tmp_path)
    records = tf.data.TFRecordDataset(str(tmp_path / warmup.REQUESTS))
    found = [
        prediction_log_pb2.PredictionLog.FromString(record.numpy())
        for record in records
    ]
    expected = [
        (name, example.inputs)
        for name, signature in served.items()
        for example in signature.examples
    ]
    assert len(found) == len(expected) == count == 8
    for log, (name, example) in zip(found, expected, strict=True):
        request = log.predict_log.request
        assert request.model_spec.name == "a name"
        assert request.model_spec.signature_name == name
        assert set(request.inputs) == set(example)
        for key, value in example.items():
            given = tf.make_ndarray(request.inputs[key])
            np.testing.assert_array_equal(given, value)
