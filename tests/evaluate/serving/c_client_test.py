"""The SavedModel as a program in C drives it: see serve.c.

TensorFlow Serving is such a program, on the same library.
"""

import io
import pathlib
import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from evaluate.serving import saved_model
from evaluate.serving.signatures import signatures
from models.heads.linear_classifier import LinearClassifier
from models.separation.separator import Separator
from tests.evaluate.toy_runs import toy_model

THREADS = 8
LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")
FOLDER = pathlib.Path(tf.__file__).parent

pytestmark = [
    pytest.mark.skipif(
        not shutil.which("gcc"), reason="there is no C compiler (gcc)"
    ),
    pytest.mark.skipif(
        not all((FOLDER / name).exists() for name in LIBRARIES),
        reason="TensorFlow's wheel has no C library here",
    ),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "serve"
    source = pathlib.Path(__file__).with_name("serve.c")
    command = ["gcc", "-Wall", "-Werror", f"-I{FOLDER / 'include'}", source]
    libraries = [FOLDER / name for name in LIBRARIES]
    options = [f"-Wl,-rpath,{FOLDER}", "-lpthread", "-o", path]
    subprocess.run([*command, *libraries, *options], check=True)
    return path


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Encoder, classifier and separator; the SavedModel, and its examples."""
    separator = Separator(
        2, num_coefficients=5, bottleneck=5, num_dilations=2, num_repeats=1
    )
    models = {
        "encoder": toy_model(),
        "classifier": LinearClassifier(11, 5),
        "separator": separator,
    }
    path = tmp_path_factory.mktemp("served") / "1"
    found = signatures(models)
    saved_model.write(found, path)
    return path, found


def _tensor(name, array):
    if array.dtype == object:
        data = b"".join(len(x).to_bytes(8, "little") + x for x in array.ravel())
        kind = tf.string
    else:
        data, kind = array.tobytes(), tf.as_dtype(array.dtype)
    numbers = [kind.as_datatype_enum, array.ndim, *array.shape, len(data)]
    return f"{name} {' '.join(map(str, numbers))}\n".encode() + data


def _requests(path, requests):
    """Of (signature, inputs by name), as the program reads them."""
    saved = saved_model_pb2.SavedModel.FromString(
        (path / "saved_model.pb").read_bytes()
    )
    known = saved.meta_graphs[0].signature_def
    text, outputs = b"", []
    for name, inputs in requests:
        for key, value in inputs.items():
            text += _tensor(known[name].inputs[key].name, np.asarray(value))
        outputs.append({v.name: k for k, v in known[name].outputs.items()})
        text += b"".join(b"?%s\n" % v.encode() for v in outputs[-1]) + b".\n"
    return text, outputs


def _answers(program, path, requests):
    """For each request those of all threads: arrays by name, or an error."""
    text, outputs = _requests(path, requests)
    done = subprocess.run(
        [program, path], input=text, capture_output=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:].decode()
    stream = io.BytesIO(done.stdout)
    answers = []
    for names in outputs:
        threads = [{}]
        while (line := stream.readline().split()) != [b"."]:
            name, *numbers = line[0].decode(), *map(int, line[1:])
            data = stream.read(numbers[-1])
            if len(threads[-1]) == len(names) or name == "!":
                threads.append({})
            if name == "!":
                threads[-1] = data.decode()
                continue
            kind, rank, *shape = numbers[:-1]
            assert rank == len(shape)
            dtype = tf.as_dtype(kind).as_numpy_dtype
            array = np.frombuffer(data, dtype).reshape(shape)
            threads[-1][names[name]] = array
        answers.append([x for x in threads if x])
        assert len(answers[-1]) == THREADS
    assert not stream.read()
    return answers


@pytest.mark.parametrize(
    "examples, clips",
    [
        (slice(-1, None), slice(2)),
        pytest.param(slice(None), slice(None), marks=pytest.mark.long),
    ],
    ids=["few", "all"],
)
def test_every_signature_answers_in_threads_as_in_python(
    program, served, examples, clips
):
    """The examples, which are the warm-up requests too."""
    path, found = served
    requests = [
        (name, {key: value[clips] for key, value in example.inputs.items()})
        for name, signature in found.items()
        for example in signature.examples[examples]
    ]
    loaded = tf.saved_model.load(str(path)).signatures
    for (name, example), threads in zip(
        requests, _answers(program, path, requests), strict=True
    ):
        tensors = {k: tf.constant(v) for k, v in example.items()}
        expected = {k: v.numpy() for k, v in loaded[name](**tensors).items()}
        assert expected["valid"].all()
        for answer in threads:
            assert set(answer) == set(expected) == set(found[name].outputs)
            for key, value in expected.items():
                assert answer[key].dtype == value.dtype
                np.testing.assert_allclose(answer[key], value, atol=1e-5)


def test_hostile_bytes_are_an_error_of_that_request_alone(program, served):
    path, found = served
    [example] = found["audio_bytes"].examples
    good = {"audio_bytes": example.inputs["audio_bytes"][:2]}
    bad = {"audio_bytes": np.array([b"RIFF", b"\0"], object)}
    empty = {"waveform": np.zeros((0, 0), "f4")}
    requests = [
        ("audio_bytes", good),
        ("audio_bytes", bad),
        ("serving_default", empty),
        ("audio_bytes", good),
    ]
    before, refused, nothing, after = _answers(program, path, requests)
    assert all("is no WAV: convert it" in message for message in refused)
    assert nothing[0]["embedding"].shape == (0, 11)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(
            one["embedding"], other["embedding"], atol=1e-6
        )
