"""Trainers that are killed, stopped or out of disk go on to the same bits."""

import pathlib
import signal
import subprocess
import time
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from data.run import run_lock
from data.run.entry_point import EXIT_STOPPED
from data.run.errors import UserError
from tests.train.small_shards import noise_clips, write_shards
from tests.train.trainer_runs import (
    SEPARATION,
    saved_step,
    start,
    train,
    wait_for,
)
from train.loop.last_step import CHECKPOINTS

STEPS = 30


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    """(objective, folder) -> those of a run in folder/objective."""
    shards = tmp_path_factory.mktemp("shards")
    write_shards(shards, noise_clips(7, 16000))
    options = {
        "shards": str(shards),
        "steps": STEPS,
        "batch_size": 3,
        "learning_rate": 0.01,
        "checkpoint_every": 3,
        "log_every": 2,
    }
    return lambda objective, folder: {
        **options,
        "objectives": [objective],
        "output": str(folder),
    }


@pytest.fixture(scope="module")
def separated(arguments, tmp_path_factory):
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    train(**arguments(SEPARATION, folder))
    return folder / SEPARATION


def result(run):
    """Last checkpoint and kept networks, by name."""
    reader = tf.train.load_checkpoint(str(run / CHECKPOINTS / f"ckpt-{STEPS}"))
    found = {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        # A stop saves once more.
        if not name.startswith("save_counter")
    }
    for path in run.glob("**/[!.]*.keras"):
        with zipfile.ZipFile(path) as members:
            # metadata.json has the time.
            for member in ("config.json", "model.weights.h5"):
                name = f"{path.relative_to(run)}/{member}"
                found[name] = members.read(member)
    return found


def assert_same_result(run, expected_run):
    found, expected = result(run), result(expected_run)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    # Nothing half-written stays.
    names = {path.name for path in (run / CHECKPOINTS).iterdir()}
    stems = {pathlib.Path(name).stem for name in names} - {"checkpoint"}
    parts = (".index", ".data-00000-of-00001")
    assert names - {"checkpoint"} == {s + part for s in stems for part in parts}


def kill_at(process, run, step, later_s):
    """Kills it some time after a checkpoint; whether it did."""
    while process.poll() is None and saved_step(run) < step:
        time.sleep(0.005)
    time.sleep(later_s)
    if process.poll() is None:
        process.send(signal.SIGKILL)
    code = process.wait()
    assert code in (0, -signal.SIGKILL), process.read("stderr")[-3000:]
    return code != 0


@pytest.mark.parametrize(
    "objective, kills",
    [
        ("similarity", 1),
        pytest.param("similarity", 20, marks=pytest.mark.long),
        pytest.param(SEPARATION, 20, marks=pytest.mark.long),
    ],
)
def test_killed_trainer_ends_with_the_bits_of_an_uninterrupted_one(
    tmp_path, arguments, objective, kills
):
    rng = np.random.default_rng(0)
    run, whole = tmp_path / "run", tmp_path / "whole"
    killed = 0
    for share in (np.arange(kills) + rng.uniform(size=kills)) / kills:
        process = start(arguments(objective, run))
        step, later_s = share * STEPS, rng.uniform(0, 0.2)
        killed += kill_at(process, run / objective, step, later_s)
    assert killed
    for folder in (run, whole):
        train(**arguments(objective, folder))
    assert_same_result(run / objective, whole / objective)
    histories = [run / objective / "history.csv" for run in (run, whole)]
    assert histories[0].read_bytes() == histories[1].read_bytes()


def test_a_stopped_trainer_says_where_and_goes_on(
    tmp_path, arguments, separated
):
    """Though it is killed the next time, with a checkpoint half-written."""
    run, arguments = tmp_path / SEPARATION, arguments(SEPARATION, tmp_path)
    process = start(arguments)
    wait_for(3, run, process)
    # Nobody else may write meanwhile.
    with pytest.raises(UserError, match=f"by process {process.pid} on"):
        run_lock.take(run)
    process.send(signal.SIGTERM)
    code, told = process.wait(), process.read("stderr").splitlines()
    assert code == EXIT_STOPPED, told
    step = saved_step(run)
    assert 3 <= step < STEPS
    assert told[-1] == (
        f"stopped: stopped by SIGTERM; step {step} is saved, run again to go on"
    )
    process = start(arguments)
    assert kill_at(process, run, step + 1, 0.02)
    # As a process leaves them that is killed while it saves.
    half = run / CHECKPOINTS / f"ckpt-{STEPS + 1}_temp"
    half.mkdir()
    (half / "part-00000-of-00001.index.tempstate12").write_bytes(b"x")
    for name in (
        "checkpoint.tmp3f",
        "ckpt-1.index.tempstate3",
        "ckpt-1.data-00000-of-00001",
    ):
        (run / CHECKPOINTS / name).write_bytes(b"x")
    train(**arguments)
    assert_same_result(run, separated)


@pytest.fixture
def disk(tmp_path):
    """A file system of its own; called with a size, it gets that."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def resize(size_bytes):
        remount = ",remount" if folder.is_mount() else ""
        options = f"size={size_bytes}{remount}"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        try:
            subprocess.run(command, capture_output=True, check=True)
        except (FileNotFoundError, subprocess.CalledProcessError):
            pytest.skip("no mount here (run as root, apt install mount)")
        return folder

    yield resize
    if folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_costs_the_steps_since_the_last_checkpoint(
    disk, arguments, separated
):
    def size_of(pattern):
        return sum(p.stat().st_size for p in separated.glob(pattern))

    checkpoint = size_of(f"{CHECKPOINTS}/ckpt-{STEPS}.*")
    networks = size_of("processors/*.keras")
    # Two fit, a third one does not; the oldest goes after it was written.
    folder = disk(networks + round(2.5 * checkpoint))
    arguments = arguments(SEPARATION, folder) | {"tensorboard": False}
    # The entry point tells it in a line.
    with pytest.raises(tf.errors.OpError, match="ckpt-9.*No space left"):
        train(**arguments)
    assert saved_step(folder / SEPARATION) == 6
    disk(100 * checkpoint)
    train(**arguments)
    assert_same_result(folder / SEPARATION, separated)
