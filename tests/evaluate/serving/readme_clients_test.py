"""The README's clients, against servers of canned answers."""

import base64
import concurrent.futures
import http.server
import json
import re
import threading

import numpy as np
import pytest
import tensorflow as tf

from tests import ROOT, script_process, skips
from tests.evaluate.toy_runs import toy_model
from tests.readme_commands import section


@pytest.fixture(scope="module")
def clients():
    """The blocks of Python, by what they begin with."""
    body = section("Serving", "evaluate")
    blocks = re.findall(r"```python\n(.*?)```", body, re.DOTALL)
    return {block.split()[1].rstrip(","): block for block in blocks}


def test_the_rest_client_sends_the_file_and_reads_the_embedding(
    clients, tmp_path, monkeypatch
):
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            seen.append((self.path, json.loads(self.rfile.read(length))))
            self.send_response(200)
            self.end_headers()
            answer = {"outputs": {"embedding": [[1.5]], "valid": [True]}}
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_):
            pass

    (tmp_path / "query.wav").write_bytes(b"RIFF1")
    monkeypatch.chdir(tmp_path)
    with http.server.HTTPServer(("localhost", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        names = {}
        port = str(server.server_port)
        exec(clients["base64"].replace("8501", port), names)
        server.shutdown()
    [(path, body)] = seen
    assert path == "/v1/models/embedding:predict"
    assert body["signature_name"] == "audio_bytes"
    [file] = body["inputs"]["audio_bytes"]
    assert base64.b64decode(file["b64"]) == b"RIFF1"
    assert names["h"] == [1.5]


def test_the_grpc_client_sends_clips_and_their_lengths(clients):
    pytest.importorskip(
        "tensorflow_serving.apis.predict_pb2",
        reason=skips.missing("tensorflow-serving-api"),
    )
    import grpc
    from tensorflow_serving.apis import (
        predict_pb2,
        prediction_service_pb2_grpc,
    )

    seen = []

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            seen.append(request)
            answer = predict_pb2.PredictResponse()
            tensor = tf.make_tensor_proto(np.full((2, 3), 1.5, "f4"))
            answer.outputs["embedding"].CopyFrom(tensor)
            return answer

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        Service(), server
    )
    port = str(server.add_insecure_port("localhost:0"))
    server.start()
    names = {}
    exec(clients["grpc"].replace("8500", port), names)
    server.stop(None)
    [request] = seen
    assert request.model_spec.name == "embedding"
    assert request.model_spec.signature_name == "padded"
    inputs = {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
    assert inputs["waveform"].shape == (2, 48000)
    assert inputs["num_samples"].dtype == np.int32
    assert inputs["num_samples"].tolist() == [48000, 9000]
    np.testing.assert_array_equal(names["h"], np.full((2, 3), 1.5))


def test_a_file_loads_with_plain_keras_after_one_import(clients, tmp_path):
    model = toy_model()
    path = tmp_path / "embedding_model.keras"
    model.save(path)
    waveform = np.random.default_rng(0).normal(0, 0.1, (2, 20000)).astype("f4")
    np.save(tmp_path / "waveform.npy", waveform)
    script = clients["keras"].replace(
        "runs/demo/pretrain/embedding_model.keras", str(path)
    )
    script += (
        "import numpy as np\n"
        f"h = model(np.load({str(tmp_path / 'waveform.npy')!r}))\n"
        f"np.save({str(tmp_path / 'h.npy')!r}, h)\n"
    )
    path = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
    (tmp_path / "load.py").write_text(path + script)
    run = script_process.run([str(tmp_path / "load.py")], tmp_path)
    assert run.returncode == 0, run.stderr
    found = np.load(tmp_path / "h.npy")
    np.testing.assert_allclose(found, model(waveform), atol=1e-6)


def test_the_saved_model_is_loaded_as_told(clients):
    compile(clients["tensorflow"], "README.md", "exec")
