"""Models go from one supported set of packages to the other, both ways.

python -m tests.evaluate.serving.exchange_test write|check FOLDER

is how one set runs a part of this in the other.
"""

import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from evaluate.serving import saved_model
from evaluate.serving.served_runs import ENCODER
from evaluate.serving.signatures import signatures
from models.embedding_model import EmbeddingModel
from tests import ROOT

# Of `make test` and `make test-newest`, less the one that this runs in.
OTHERS = [
    ROOT / name / "bin" / "python"
    for name in (".venv", ".venv-newest")
    if (ROOT / name / "bin" / "python").exists()
    and (ROOT / name) != pathlib.Path(sys.prefix)
]
pytestmark = pytest.mark.skipif(
    not OTHERS,
    reason="only one set of packages is installed "
    "(make test, then make test-newest)",
)


def write(folder: pathlib.Path) -> None:
    folder.mkdir()
    keras.utils.set_random_seed(0)
    model = EmbeddingModel(width=0.0625, embedding_dim=8)
    random = np.random.default_rng(0)
    waveform = random.normal(0, 0.1, (3, 40000)).astype("f4")
    model.save(folder / "embedding_model.keras")
    served = signatures({ENCODER: model})
    saved_model.write(served, folder / "saved_model")
    np.savez(
        folder / "expected.npz", waveform=waveform, embedding=model(waveform)
    )


def check(folder: pathlib.Path) -> float:
    """The largest difference to what the writer computed."""
    expected = np.load(folder / "expected.npz")
    waveform = tf.constant(expected["waveform"])
    loaded = tf.saved_model.load(str(folder / "saved_model"))
    answer = loaded.signatures["serving_default"](waveform=waveform)
    model = keras.saving.load_model(folder / "embedding_model.keras")
    return max(
        float(np.abs(embedding - expected["embedding"]).max())
        for embedding in (answer["embedding"], model(waveform))
    )


def elsewhere(command: str, folder: pathlib.Path) -> str:
    """Runs a part of this file in the other environment."""
    module = "tests.evaluate.serving.exchange_test"
    done = subprocess.run(
        [OTHERS[0], "-m", module, command, folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_each_set_loads_what_the_other_writes(tmp_path):
    write(tmp_path / "ours")
    assert float(elsewhere("check", tmp_path / "ours")) < 1e-5
    elsewhere("write", tmp_path / "theirs")
    assert check(tmp_path / "theirs") < 1e-5


if __name__ == "__main__":
    command, path = sys.argv[1:]
    print({"write": write, "check": check}[command](pathlib.Path(path)))
