"""ONNX files, in onnxruntime, against Keras."""

import functools
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import skips

onnxruntime = pytest.importorskip(
    "onnxruntime", reason=skips.missing("onnxruntime")
)
pytest.importorskip("tf2onnx", reason=skips.missing("tf2onnx"))

from data.run.errors import UserError  # noqa: E402
from evaluate import export_onnx  # noqa: E402
from evaluate.export_onnx import OnnxConfig  # noqa: E402
from evaluate.serving import (  # noqa: E402
    fourier_products,
    onnx_file,
    plain_graph,
)
from models.separation.separator import Separator  # noqa: E402
from tests.evaluate.entry_point_runs import call_main  # noqa: E402
from tests.evaluate.toy_runs import toy_model, write_toy_run  # noqa: E402
from tests.readme_commands import commands, config_of  # noqa: E402


@pytest.mark.parametrize("length", [2, 8, 512])
def test_products_are_the_transforms(length):
    frames = np.random.default_rng(0).normal(size=(3, 5, length)).astype("f4")
    real, imag = fourier_products.rfft(frames[..., : length - 1], length)
    expected = np.fft.rfft(frames[..., : length - 1], length)
    np.testing.assert_allclose(real, expected.real, atol=1e-4)
    np.testing.assert_allclose(imag, expected.imag, atol=1e-4)
    spectrum = np.fft.rfft(frames)
    parts = spectrum.real.astype("f4"), spectrum.imag.astype("f4")
    back = fourier_products.irfft(parts, length)
    np.testing.assert_allclose(back, frames, atol=2e-6)


def _separator(basis):
    return Separator(
        2,
        basis=basis,
        num_coefficients=11,
        bottleneck=5,
        conv_channels=7,
        num_dilations=2,
        num_repeats=1,
    )


NETWORKS = {
    "google": ("encoder", toy_model),
    "panns": ("encoder", lambda: toy_model(frontend="panns")),
    "learned": ("separator", lambda: _separator("learned")),
    "stft": ("separator", lambda: _separator("stft")),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Network, file and difference of each of `NETWORKS`, by its name."""

    @functools.cache
    def make(name):
        part, network = NETWORKS[name]
        graph = plain_graph.plain_graph(part, network())
        path = tmp_path_factory.mktemp("onnx") / "a.onnx"
        return graph.network, path, onnx_file.export(graph, path)

    return make


@pytest.mark.parametrize("name", NETWORKS)
def test_at_any_length_it_is_keras(name, made):
    network, path, difference = made(name)
    assert difference <= 1e-4
    session = onnxruntime.InferenceSession(str(path))
    for batch, length in ((1, 7), (2, 16001), (3, 40001)):
        random = np.random.default_rng(length)
        waveform = random.normal(0, 0.1, (batch, length)).astype("f4")
        [answer] = session.run(None, {"waveform": waveform})
        expected = np.asarray(network(tf.constant(waveform)))
        assert answer.shape == expected.shape
        difference = np.abs(answer - expected).max()
        assert difference <= 1e-4 * max(1, np.abs(expected).max())


def test_the_command_writes_files_and_tells(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_toy_run(tmp_path / "runs/demo/pretrain", tmp_path / "shards")
    [[_, script, *flags]] = commands("Serving", "evaluate")
    assert script == "evaluate/export_onnx.py"
    call_main(export_onnx, config_of(OnnxConfig, [*flags, "--tflite"]))
    told = capsys.readouterr().out
    for name in ("encoder.onnx", "encoder.tflite"):
        path = pathlib.Path("runs/demo/onnx", name)
        assert path.stat().st_size > 1_000_000
        assert f"{path} (largest difference" in told
    assert len(list(path.parent.iterdir())) == 2


def test_what_disagrees_never_appears(made, tmp_path, monkeypatch):
    _, path, _ = made("learned")
    monkeypatch.setattr(
        onnx_file.tf2onnx.convert,
        "from_function",
        lambda *_, output_path, **__: shutil.copy(path, output_path),
    )
    keras.utils.set_random_seed(1)  # Other weights.
    graph = plain_graph.plain_graph("separator", _separator("learned"))
    with pytest.raises(RuntimeError, match="a.onnx is .* off Keras"):
        onnx_file.export(graph, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_none_is_refused(tmp_path):
    with pytest.raises(UserError, match="missing does not exist"):
        call_main(export_onnx, OnnxConfig(str(tmp_path), "missing"))
