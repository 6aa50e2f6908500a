"""What the shell says to Keras and TensorFlow, and what we make of it."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from data.run import environment

ROOT = pathlib.Path(__file__).parents[3]
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("KERAS_", "TF_"))
}


@pytest.fixture
def shell(monkeypatch):
    """Replaces the variables that `prepare` reads."""

    def replace(**variables):
        for name in os.environ.keys() - CLEAN.keys():
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return replace


@pytest.mark.parametrize(
    "machine, said, expected",
    [
        ("x86_64", {}, "1"),
        ("AMD64", {}, "1"),
        ("x86_64", {"TF_ENABLE_ONEDNN_OPTS": "0"}, "0"),
        ("aarch64", {}, None),
    ],
)
def test_onednn_is_on_unless_the_shell_says_so(
    shell, monkeypatch, machine, said, expected
):
    monkeypatch.setattr("platform.machine", lambda: machine)
    shell(TF_CPP_MIN_LOG_LEVEL="0", **said)
    assert environment.prepare() == []
    assert os.environ.get("TF_ENABLE_ONEDNN_OPTS") == expected
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"


def test_variables_of_keras_are_not_followed_and_told(shell):
    shell(KERAS_BACKEND="torch", KERAS_MAX_EPOCHS="1", KERAS_HOME="/a")
    told = environment.prepare()
    assert [sentence.split(" of ")[0] for sentence in told] == [
        "KERAS_BACKEND=torch",
        "KERAS_MAX_EPOCHS=1",
    ]
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
    assert "KERAS_MAX_EPOCHS" not in os.environ
    # A process that this one starts has nothing to tell.
    assert environment.prepare() == []


PROGRAM = """
import sys
from data.run import entry_point

def main():
    import keras
    c = keras.config
    print(c.backend(), c.floatx(), c.image_data_format(), c.epsilon())
    print({"jax", "matplotlib", "pandas", "sklearn"} & sys.modules.keys())
    import pandas

entry_point.run(main)
"""


def test_a_hostile_shell_changes_nothing(tmp_path):
    """Backend, and keras.json with other formats."""
    settings = {
        "backend": "jax",
        "floatx": "float16",
        "image_data_format": "channels_first",
        "epsilon": 0.5,
    }
    folder = tmp_path / ".keras"
    folder.mkdir()
    (folder / "keras.json").write_text(json.dumps(settings))
    hostile = {"KERAS_BACKEND": "jax", "KERAS_HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=CLEAN | hostile | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    keras, unasked = done.stdout.splitlines()
    assert keras == "tensorflow float32 channels_last 1e-07"
    assert unasked == "set()"
    assert done.returncode == 0
    assert done.stderr.count("of your shell is not followed") == 1
    assert "KERAS_BACKEND=jax of your shell" in done.stderr
