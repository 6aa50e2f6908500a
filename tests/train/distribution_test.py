"""One device, several of one process, and several processes: one result."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.train.distributed_run import SEPARATION
from tests.train.small_shards import chirp_clips, write_shards
from train.contrastive_config import OBJECTIVES

ROOT = pathlib.Path(__file__).parents[2]


def start(shards, folder, strategy, devices, changes=None, **environment):
    """A process of `distributed_run`; its log is folder/../<name>.log."""
    command = [sys.executable, "-m", "tests.train.distributed_run"]
    command += [shards, folder, strategy, devices, json.dumps(changes or {})]
    folder.parent.mkdir(exist_ok=True)
    return subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""} | environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_cluster(size, *arguments, **options):
    """Processes of a cluster on this machine."""
    sockets = [socket.socket() for _ in range(size)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    workers = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    processes = []
    for index in range(size):
        task = {"type": "worker", "index": index}
        config = {"cluster": {"worker": workers}, "task": task}
        processes.append(
            start(*arguments, **options, TF_CONFIG=json.dumps(config))
        )
    return processes


def _finish(processes):
    for process in processes:
        _, errors = process.communicate(timeout=900)
        assert process.returncode == 0, errors[-3000:]


ALL = [*OBJECTIVES, SEPARATION]
# Each of them takes half a minute; joint has both losses.
SOME = ["joint", "triplet", SEPARATION]
SETUPS = {"mirrored_2": ALL, "mirrored_4": ["joint"], "workers_2": SOME}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folder with "one" and all of SETUPS."""
    folder = tmp_path_factory.mktemp("runs")
    shards = folder / "shards"
    write_shards(shards, chirp_clips(13, 16000))
    _finish([start(shards, folder / "one", "default", 1)])
    some, joint = {"objectives": SOME}, {"objectives": ["joint"]}
    _finish([start(shards, folder / "mirrored_2", "mirrored", 2)])
    _finish([start(shards, folder / "mirrored_4", "mirrored", 4, joint)])
    name = folder / "workers_2"
    _finish(start_cluster(2, shards, name, "multi_worker", 1, some))
    return folder


def _state(run):
    """Weights, statistics and optimizer of the last checkpoint, by name."""
    latest = tf.train.latest_checkpoint(str(run / "checkpoints"))
    reader = tf.train.load_checkpoint(latest)
    arrays = {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
    }
    return {
        name: array
        for name, array in arrays.items()
        if isinstance(array, np.ndarray) and array.dtype.kind == "f"
    }


@pytest.mark.parametrize(
    "devices, objective",
    [(setup, objective) for setup in SETUPS for objective in SETUPS[setup]],
)
def test_devices_give_the_weights_of_one(runs, devices, objective):
    """After 10 steps: weights, moving statistics, losses, to 1e-5."""
    expected = _state(runs / "one" / objective)
    found = _state(runs / devices / objective)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(
            found[name], array, rtol=1e-5, atol=1e-5, err_msg=name
        )
    losses = [
        np.genfromtxt(
            runs / name / objective / "history.csv", delimiter=",", names=True
        )["loss"]
        for name in ("one", devices)
    ]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    # It was trained.
    assert losses[0][-1] != losses[0][0]
