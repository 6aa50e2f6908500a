"""What the shell says to Keras and TensorFlow, and what we make of it."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from data.run import environment
from tests.train.small_shards import noise_clips, write_shards

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


@pytest.mark.parametrize("machine", ["x86_64", "AMD64"])
@pytest.mark.parametrize("trains, expected", [(True, "1"), (False, "0")])
def test_onednn_is_on_for_training_only(
    shell, monkeypatch, machine, trains, expected
):
    monkeypatch.setattr("platform.machine", lambda: machine)
    shell()
    assert environment.prepare(trains) == []
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == expected


@pytest.mark.parametrize("trains", [True, False])
@pytest.mark.parametrize("said", ["0", "1"])
def test_onednn_is_as_the_shell_says(shell, trains, said):
    shell(TF_ENABLE_ONEDNN_OPTS=said, TF_CPP_MIN_LOG_LEVEL="0")
    assert environment.prepare(trains) == []
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == said
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"


def test_onednn_of_other_processors_is_left_alone(shell, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    shell()
    environment.prepare(trains=True)
    assert "TF_ENABLE_ONEDNN_OPTS" not in os.environ


def test_variables_of_keras_are_not_followed_and_told(shell):
    shell(KERAS_BACKEND="torch", KERAS_MAX_EPOCHS="1", KERAS_HOME="/a")
    told = environment.prepare(trains=True)
    assert [sentence.split(" of ")[0] for sentence in told] == [
        "KERAS_BACKEND=torch",
        "KERAS_MAX_EPOCHS=1",
    ]
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
    assert "KERAS_MAX_EPOCHS" not in os.environ
    # A process that this one starts has nothing to tell.
    assert environment.prepare(trains=True) == []


def test_a_hostile_shell_trains_the_same(tmp_path):
    """Backend, and keras.json with other formats, by an entry point."""
    write_shards(tmp_path / "shards", noise_clips(4, 4000))
    for home, settings in (
        ("plain", {}),
        (
            "hostile",
            {
                "backend": "jax",
                "floatx": "float16",
                "image_data_format": "channels_first",
                "epsilon": 0.5,
            },
        ),
    ):
        folder = tmp_path / home / ".keras"
        folder.mkdir(parents=True)
        (folder / "keras.json").write_text(json.dumps(settings))
        shell = {"HOME": str(folder.parent), "CUDA_VISIBLE_DEVICES": ""}
        if settings:
            shell |= {"KERAS_BACKEND": "jax", "KERAS_HOME": str(folder)}
        result = subprocess.run(
            [
                sys.executable,
                str(ROOT / "train/pretrain_contrastive.py"),
                f"--shards={tmp_path}/shards",
                f"--output={tmp_path}/{home}/run",
                "--comparison=mix_vs_mix",
                "--objective=joint",
                "--width=0.0625",
                "--batch_size=2",
                "--steps=2",
            ],
            env=CLEAN | shell,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr[-3000:]
        assert ("KERAS_BACKEND=jax of your shell" in result.stderr) == bool(
            settings
        )
    plain, hostile = (
        (tmp_path / home / "run" / "history.csv").read_bytes()
        for home in ("plain", "hostile")
    )
    assert plain == hostile and plain.count(b"\n") == 2
