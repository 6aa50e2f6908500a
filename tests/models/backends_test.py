"""The models on the other Keras backends, against TensorFlow.

A backend is chosen when keras is imported: the others run in processes of
their own, where they are installed.
"""

import importlib.util
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from tests import skips
from tests.models import backend_numbers

ROOT = pathlib.Path(__file__).parents[2]
# Of the largest value of an array.
TOLERANCES = {
    "separation": 1e-5,
    "encoder": 1e-4,
    "heads": 1e-5,
    "losses": 1e-5,
    "metrics": 1e-5,
    "front ends": 1e-5,
    # SpecAugment interpolates at positions of up to 96 frames, which float32
    # rounds by 96 x 2^-24 = 6e-6 in each of some five operations.
    "views": 3e-5,
}
# Of the norm of all gradients of a loss.
GRADIENT_TOLERANCE = 2e-5


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    """Weights none of which has a special value."""
    # The seed that every test starts from is set after this.
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    weights = {}
    for name, network in backend_numbers.networks().items():
        for i, value in enumerate(network.get_weights()):
            value = value * random.uniform(0.6, 1.4, value.shape)
            if value.ndim < 2:
                value = value + random.uniform(0, 0.1, value.shape)
            weights[f"{name}/{i}"] = value.astype("float32")
    path = tmp_path_factory.mktemp("backends") / "weights.npz"
    np.savez(path, **weights)
    return path


@pytest.fixture(scope="module")
def expected(weights_file):
    return backend_numbers.numbers(dict(np.load(weights_file)))


def _numbers_of(backend, weights_file, path):
    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        # Little is computed: compiling is what takes the time.
        "XLA_FLAGS": "--xla_backend_optimization_level=0 "
        "--xla_llvm_disable_expensive_passes=true",
    }
    command = [sys.executable, "-m", "tests.models.backend_numbers"]
    result = subprocess.run(
        [*command, weights_file, path],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return dict(np.load(path))


def _where_installed(backend):
    missing = importlib.util.find_spec(backend) is None
    reason = skips.missing(backend)
    return pytest.param(
        backend, marks=pytest.mark.skipif(missing, reason=reason)
    )


@pytest.mark.parametrize("backend", [*map(_where_installed, ("jax", "torch"))])
def test_equals_tensorflow(agrees, backend, weights_file, expected, tmp_path):
    numbers = _numbers_of(backend, weights_file, tmp_path / "numbers.npz")
    assert list(numbers) == list(expected)
    norms = _norms_of_gradients(expected)
    for name, value in numbers.items():
        assert value.dtype == expected[name].dtype, name
        assert value.shape == expected[name].shape, name
        part, _, name_in_part = name.partition("/")
        difference = value - expected[name]
        loss, is_gradient, _ = name.partition(", gradient ")
        if value.dtype.kind != "f":
            np.testing.assert_array_equal(value, expected[name], name)
        elif is_gradient:
            agrees(
                f"{part} on {backend}: gradients",
                "TensorFlow",
                np.linalg.norm(difference) / norms[loss],
                GRADIENT_TOLERANCE,
            )
        else:
            largest = np.max(np.abs(expected[name]))
            agrees(
                f"{part} on {backend}",
                "TensorFlow",
                np.max(np.abs(difference)) / (largest or 1),
                TOLERANCES[part],
            )


def _norms_of_gradients(numbers):
    squares = {}
    for name, value in numbers.items():
        loss, is_gradient, _ = name.partition(", gradient ")
        if is_gradient:
            squares[loss] = squares.get(loss, 0) + np.sum(value**2)
    return {loss: np.sqrt(square) for loss, square in squares.items()}
