"""One device, several of one process, and several processes: one result."""

import json
import re
import signal
import socket

import numpy as np
import pytest
import tensorflow as tf

from data.run.entry_point import EXIT_STOPPED
from tests.train.small_shards import noise_clips, write_shards
from tests.train.trainer_runs import (
    SEPARATION,
    saved_step,
    start,
    train,
    wait_for,
)
from train.loop.last_step import last_step

# Joint has the losses of the two other objectives.
ENCODERS = ["joint", "triplet"]
# Heartbeats of TensorFlow are missed after 10 s; the rest is a slow machine.
LOST_WITHIN_S = 120


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    """(objectives, folder) -> those of runs in folder/<objective>."""
    shards = tmp_path_factory.mktemp("shards")
    write_shards(shards, noise_clips(13, 16000))

    def arguments(objectives, folder):
        common = {"objectives": objectives, "output": str(folder)}
        common |= {"shards": str(shards), "tensorboard": False}
        if objectives == [SEPARATION]:
            return common
        return common | {
            # Masks are drawn by each replica for itself.
            "dropout": 0.0,
            # In float32 rounding decides whether a ReLU passes, and so changes
            # gradients by a hundredth, on one device as well.
            "precision": "float64",
        }

    return arguments


@pytest.fixture(scope="module")
def one_device(arguments, tmp_path_factory):
    """Objective -> its run on one device."""
    folder = tmp_path_factory.mktemp("one")

    def run_of(objective):
        if not (folder / objective).exists():
            train(**arguments([objective], folder))
        return folder / objective

    return run_of


def _start_cluster(arguments):
    """Two processes on this machine."""
    sockets = [socket.socket() for _ in range(2)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    workers = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    arguments = arguments | {"strategy": "multi_worker"}
    tasks = [{"type": "worker", "index": index} for index in range(2)]
    configs = [{"cluster": {"worker": workers}, "task": t} for t in tasks]
    return [start(arguments, TF_CONFIG=json.dumps(c)) for c in configs]


def _ends(processes, within_s=900):
    """Exit code of each, and what it says of a stop; none may hang."""
    ends = []
    for process in processes:
        if process.wait(within_s) is None:
            process.send(signal.SIGKILL)
        code, told = process.wait(), process.read("stderr")
        # TensorFlow may tell more after it.
        said = re.search("^stopped: .*", told, re.MULTILINE)
        ends.append((code, said[0] if said else told[-3000:]))
    return ends


def _state(run):
    """Weights, statistics and optimizer of the last checkpoint, by name."""
    reader = tf.train.load_checkpoint(str(run / "checkpoints"))
    arrays = {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
    }
    return {
        name: array
        for name, array in arrays.items()
        if isinstance(array, np.ndarray) and array.dtype.kind == "f"
    }


def _tolerance(run):
    """Of what differs in rounding only, relative or absolute.

    Encoders compute in float64 (2e-16): sums over a million activations and
    ten steps of Adam leave some 1e-13 of it, on processors with and without
    AVX-512. A figure that is rounded to float32 on the way, or a ReLU or
    negative that rounding decides, is far above. Separators compute in
    float32 (6e-8).
    """
    return 1e-5 if run.name == SEPARATION else 1e-10


def _assert_same(run, expected_run):
    within = _tolerance(run)
    expected, found = _state(expected_run), _state(run)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(
            found[name], array, within, within, err_msg=f"{run}: {name}"
        )


@pytest.mark.parametrize(
    "strategy, devices, objectives",
    [
        ("mirrored", 2, ["joint"]),
        pytest.param("mirrored", 2, [SEPARATION], marks=pytest.mark.long),
        pytest.param("mirrored", 2, ["triplet"], marks=pytest.mark.long),
        pytest.param("mirrored", 4, ["joint"], marks=pytest.mark.long),
        pytest.param("multi_worker", 1, ENCODERS, marks=pytest.mark.long),
        pytest.param("multi_worker", 1, [SEPARATION], marks=pytest.mark.long),
    ],
)
def test_devices_give_the_weights_of_one(
    arguments, one_device, tmp_path, strategy, devices, objectives
):
    """Weights, moving statistics, losses."""
    arguments = arguments(objectives, tmp_path)
    if strategy == "multi_worker":
        processes = _start_cluster(arguments)
    else:
        arguments |= {"strategy": strategy, "devices": devices}
        processes = [start(arguments)]
    for code, told in _ends(processes):
        assert code == 0, told
    for objective in objectives:
        run, expected = tmp_path / objective, one_device(objective)
        _assert_same(run, expected)
        losses, wanted = (
            np.genfromtxt(of / "history.csv", delimiter=",", names=True)["loss"]
            for of in (run, expected)
        )
        np.testing.assert_allclose(losses, wanted, _tolerance(run))
        # It was trained.
        assert losses[-1] != losses[0]


@pytest.mark.long
@pytest.mark.parametrize("lost", [0, 1])
def test_a_cluster_survives_the_loss_of_its_processes(
    arguments, one_device, tmp_path, lost
):
    """One is killed, then one is stopped, and then a single device goes on:
    the weights are those of one that nothing disturbed."""
    run, arguments = tmp_path / "joint", arguments(["joint"], tmp_path)
    workers = _start_cluster(arguments)
    wait_for(2, run, *workers)
    workers[lost].send(signal.SIGKILL)
    ends = _ends(workers, LOST_WITHIN_S)
    assert ends[lost][0] == -signal.SIGKILL
    code, told = ends[1 - lost]
    assert code == EXIT_STOPPED, told
    # Not `saved_step`: a checkpoint counts once it is listed.
    assert re.fullmatch(
        r"stopped: another process of the cluster was lost \([^{}]+\): "
        f"start all of them again, to go on from step {last_step(run)}",
        told,
    )

    workers = _start_cluster(arguments)
    wait_for(saved_step(run) + 2, run, *workers)
    workers[1].send(signal.SIGTERM)
    ends = _ends(workers)
    saved = f"; step {saved_step(run)} is saved, run again to go on"
    assert ends == [
        (EXIT_STOPPED, f"stopped: another process was stopped{saved}"),
        (EXIT_STOPPED, f"stopped: stopped by SIGTERM{saved}"),
    ]

    train(**arguments)
    _assert_same(run, one_device("joint"))
