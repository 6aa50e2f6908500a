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

from tests.train.loop.distributed_run import SEPARATION
from tests.train.small_shards import chirp_clips, write_shards
from train.contrastive.contrastive_config import OBJECTIVES

ROOT = pathlib.Path(__file__).parents[3]


def start(shards, folder, strategy, devices, changes=None, **environment):
    """A process of `distributed_run`; its log is folder/../<name>.log."""
    command = [sys.executable, "-m", "tests.train.loop.distributed_run"]
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


# Each of them takes half a minute; joint has both losses.
JOINT = ["joint"]
SOME = [*JOINT, "triplet", SEPARATION]
ALL = [*OBJECTIVES, SEPARATION]
SETUPS = {
    "short": {"one": SOME, "mirrored_2": SOME, "workers_2": JOINT},
    "long": {
        "one": ALL,
        "mirrored_2": ALL,
        "mirrored_4": JOINT,
        "workers_2": SOME,
    },
}
# Of one process: strategy and devices.
DEVICES = {
    "one": ("default", 1),
    "mirrored_2": ("mirrored", 2),
    "mirrored_4": ("mirrored", 4),
}


def _train(folder, setups):
    """One run directory for each setup and objective."""
    shards = folder / "shards"
    write_shards(shards, chirp_clips(13, 16000))
    for setup, objectives in setups.items():
        changes = {"objectives": objectives}
        if setup in DEVICES:
            options = (shards, folder / setup, *DEVICES[setup], changes)
            _finish([start(*options)])
        else:
            options = (shards, folder / setup, "multi_worker", 1, changes)
            _finish(start_cluster(2, *options))


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


def _tolerance(objective):
    """Of what differs in rounding only, relative or absolute.

    Encoders compute in float64 (2e-16): sums over a million activations and
    ten steps of Adam leave some 1e-13 of it, on processors with and without
    AVX-512. A figure that is rounded to float32 on the way, or a ReLU or
    negative that rounding decides, is far above. Separators compute in
    float32 (6e-8).
    """
    return 1e-5 if objective == SEPARATION else 1e-10


@pytest.mark.parametrize(
    "setups",
    [
        pytest.param(SETUPS["short"], id="short"),
        pytest.param(SETUPS["long"], id="long", marks=pytest.mark.long),
    ],
)
def test_devices_give_the_weights_of_one(setups, tmp_path):
    """After 10 steps: weights, moving statistics, losses."""
    _train(tmp_path, setups)
    for setup, objectives in setups.items():
        for objective in objectives:
            _assert_same(tmp_path / "one", tmp_path / setup, objective)


def _assert_same(one, other, objective):
    within = _tolerance(objective)
    expected, found = _state(one / objective), _state(other / objective)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(
            found[name],
            array,
            rtol=within,
            atol=within,
            err_msg=f"{other.name}, {objective}: {name}",
        )
    losses = [
        np.genfromtxt(
            run / objective / "history.csv", delimiter=",", names=True
        )["loss"]
        for run in (one, other)
    ]
    np.testing.assert_allclose(losses[1], losses[0], rtol=within)
    # It was trained.
    assert losses[0][-1] != losses[0][0]
