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


# Of one process: strategy and devices.
DEVICES = {
    "one": ("default", 1),
    "mirrored_2": ("mirrored", 2),
    "mirrored_4": ("mirrored", 4),
}


def _train(objective, setup, folder):
    """Run directory of some devices, or of a cluster of two processes."""
    run, changes = folder / setup, {"objectives": [objective]}
    if setup in DEVICES:
        options = DEVICES[setup]
        _finish([start(folder / "shards", run, *options, changes)])
    else:
        options = ("multi_worker", 1)
        _finish(start_cluster(2, folder / "shards", run, *options, changes))
    return run / objective


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


def _losses(run):
    path = run / "history.csv"
    return np.genfromtxt(path, delimiter=",", names=True)["loss"]


# Each takes half a minute; joint has both losses.
SHORT = {
    "joint": ["mirrored_2", "workers_2"],
    "triplet": ["mirrored_2"],
    SEPARATION: ["mirrored_2"],
}
LONG = dict.fromkeys(OBJECTIVES, ["mirrored_2"]) | {
    "joint": ["mirrored_2", "mirrored_4", "workers_2"],
    "triplet": ["mirrored_2", "workers_2"],
    SEPARATION: ["mirrored_2", "workers_2"],
}


@pytest.mark.parametrize(
    "objective, setups",
    [
        *SHORT.items(),
        *(pytest.param(*each, marks=pytest.mark.long) for each in LONG.items()),
    ],
)
def test_devices_give_the_weights_of_one(tmp_path, objective, setups):
    """After 10 steps: weights, moving statistics, losses, to 1e-5."""
    write_shards(tmp_path / "shards", chirp_clips(13, 16000))
    one = _train(objective, "one", tmp_path)
    expected, losses = _state(one), _losses(one)
    # It was trained.
    assert losses[-1] != losses[0]
    for setup in setups:
        run = _train(objective, setup, tmp_path)
        found = _state(run)
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            np.testing.assert_allclose(
                found[name],
                array,
                rtol=1e-5,
                atol=1e-5,
                err_msg=f"{setup}: {name}",
            )
        np.testing.assert_allclose(
            _losses(run), losses, rtol=1e-5, err_msg=setup
        )
