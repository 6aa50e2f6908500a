"""Trainers that are killed, stopped or out of disk go on to the same bits."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from data.run import run_directory, run_lock
from data.run.entry_point import EXIT_DISK_FULL, EXIT_STOPPED
from data.run.errors import UserError
from tests.train.loop.distributed_run import SEPARATION
from tests.train.loop.distribution_test import ROOT, start_cluster
from tests.train.small_shards import chirp_clips, noise_clips, write_shards
from train.loop.checkpoints import FOLDER, last_step
from train.separation.separation_config import SeparationConfig

STEPS = 30
# Heartbeats of TensorFlow are missed after 10 s; the rest is a slow machine.
LOST_WITHIN_S = 120
PRETRAIN = [
    "train/pretrain_contrastive.py",
    "--comparison=mix_vs_mix",
    "--objective=similarity",
    "--width=0.0625",
    "--embedding_dim=5",
    "--head_units=6",
    "--projection_dim=4",
    "--warmup_steps=4",
]
SEPARATE = [
    "train/train_separation.py",
    "--crop_seconds=0.2",
    "--bottleneck=5",
    "--conv_channels=7",
    "--num_dilations=2",
    "--num_repeats=1",
    f"--keep_steps=N=0,mid=7,last={STEPS}",
]
OPTIONS = [
    f"--steps={STEPS}",
    "--batch_size=3",
    "--learning_rate=0.01",
    "--checkpoint_every=3",
    "--log_every=2",
    "--examples_every=0",
]


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    write_shards(folder, noise_clips(7, 16000))
    return folder


def start(command, shards, output):
    script, *flags = command
    flags += [*OPTIONS, f"--shards={shards}", f"--output={output}"]
    return subprocess.Popen(
        [sys.executable, str(ROOT / script), *flags],
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(command, shards, output, code=0):
    """What the process says, after it ended with that code."""
    process = start(command, shards, output)
    _, told = process.communicate()
    assert process.returncode == code, told[-3000:]
    return told


@pytest.fixture(scope="module")
def whole(shards, tmp_path_factory):
    """Command -> folder of its run that nothing disturbed."""
    made = {}

    def of(command):
        if command[0] not in made:
            folder = tmp_path_factory.mktemp("whole") / "run"
            finish(command, shards, folder)
            made[command[0]] = folder
        return made[command[0]]

    return of


def saved_step(run):
    """Step of the newest checkpoint that is complete."""
    names = [path.stem for path in (run / FOLDER).glob("ckpt-*.index")]
    return max((int(name.split("-")[1]) for name in names), default=0)


def wait_for(step, run, *processes):
    """Until that checkpoint is there; fails where no process makes it."""
    while saved_step(run) < step:
        for process in processes:
            if process.poll() is not None:
                raise AssertionError(process.communicate()[1][-3000:])
        time.sleep(0.005)


def result(run):
    """Last checkpoint and kept networks, by name."""
    reader = tf.train.load_checkpoint(str(run / FOLDER / f"ckpt-{STEPS}"))
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
    names = {path.name for path in (run / FOLDER).iterdir()} - {"checkpoint"}
    whole = {name for name in names if name.endswith(".index")}
    stems = {pathlib.Path(name).stem for name in whole}
    assert names - whole == {f"{s}.data-00000-of-00001" for s in stems}


def kill_at(process, run, step, later_s):
    """Kills it some time after a checkpoint; whether it did."""
    while process.poll() is None and saved_step(run) < step:
        time.sleep(0.005)
    time.sleep(later_s)
    process.kill()
    _, told = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), told[-3000:]
    return process.returncode != 0


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.long)])
@pytest.mark.parametrize("command", [PRETRAIN, SEPARATE])
def test_killed_trainer_ends_with_the_bits_of_an_uninterrupted_one(
    tmp_path, shards, whole, command, kills
):
    rng = np.random.default_rng(0)
    moments = []
    for share in (np.arange(kills) + rng.uniform(size=kills)) / kills:
        process = start(command, shards, tmp_path)
        if kill_at(process, tmp_path, share * STEPS, rng.uniform(0, 0.2)):
            moments.append(saved_step(tmp_path))
    assert moments
    finish(command, shards, tmp_path)
    expected = whole(command)
    assert_same_result(tmp_path, expected)
    histories = [run / "history.csv" for run in (tmp_path, expected)]
    assert histories[0].read_bytes() == histories[1].read_bytes()
    print(f"{command[0]}: killed after the checkpoints {moments}")


def test_a_stopped_trainer_says_where_and_goes_on(tmp_path, shards, whole):
    process = start(SEPARATE, shards, tmp_path)
    wait_for(3, tmp_path, process)
    # Nobody else may write meanwhile.
    with pytest.raises(UserError, match=f"by process {process.pid} on"):
        run_lock.take(tmp_path)
    process.send_signal(signal.SIGTERM)
    told = process.communicate()[1].splitlines()
    assert process.returncode == EXIT_STOPPED, told
    step = saved_step(tmp_path)
    assert 3 <= step < STEPS
    # As a process leaves them that is killed while it saves.
    half = tmp_path / FOLDER / f"ckpt-{step + 1}_temp"
    half.mkdir()
    (half / "part-00000-of-00001.index.tempstate12").write_bytes(b"x")
    for name in (
        "checkpoint.tmp3f",
        "ckpt-1.index.tempstate3",
        "ckpt-1.data-00000-of-00001",
    ):
        (tmp_path / FOLDER / name).write_bytes(b"x")
    assert told[-1] == (
        f"stopped: stopped by SIGTERM; step {step} is saved, run again to go on"
    )
    finish(SEPARATE, shards, tmp_path)
    assert_same_result(tmp_path, whole(SEPARATE))


@pytest.fixture
def disk(tmp_path):
    """A file system of its own; called with a size, it gets that."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def resize(size_bytes):
        options = f"size={size_bytes}"
        if folder.is_mount():
            options += ",remount"
        if shutil.which("mount") is None:
            pytest.skip("there is no mount here (apt install mount)")
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip("file systems cannot be mounted here (run as root)")
        return folder

    yield resize
    if folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_costs_the_steps_since_the_last_checkpoint(
    disk, shards, whole
):
    expected = whole(SEPARATE)

    def size_of(pattern):
        return sum(p.stat().st_size for p in expected.glob(pattern))

    checkpoint = size_of(f"{FOLDER}/ckpt-{STEPS}.*")
    two_networks = size_of("processors/N.keras") + size_of("processors/mid.*")
    # Two fit, a third one does not; the oldest goes after it was written.
    run = disk(two_networks + round(2.5 * checkpoint)) / "run"
    told = finish(SEPARATE, shards, run, EXIT_DISK_FULL).splitlines()
    assert re.fullmatch(
        r"error: no space left on the disk \(.*ckpt-9.*\); free some and run "
        "again: what is finished is kept",
        told[-1],
    )
    assert saved_step(run) == 6
    disk(100 * checkpoint)
    finish(SEPARATE, shards, run)
    assert_same_result(run, expected)


def test_what_may_change_when_a_run_goes_on(tmp_path):
    def again(**changes):
        config = SeparationConfig(**{"batch_size": 3, **changes})
        run_directory.start(str(tmp_path), "stage", config)

    again()
    again(
        steps=2_000_000,
        strategy="mirrored",
        checkpoint_every=7,
        keep_checkpoints=5,
        log_every=3,
        max_skipped_steps=1,
        max_bad_fraction=0.5,
        tensorboard=False,
    )
    for name, value in [
        ("batch_size", 6),
        ("seed", 2),
        ("learning_rate", 0.5),
        ("precision", "mixed_bfloat16"),
        ("crop_seconds", 2.0),
    ]:
        with pytest.raises(UserError, match=f"with --{name}=.*now it is "):
            again(**{name: value})
    run_lock.release(tmp_path)


def start_workers(shards, folder):
    changes = {
        "objectives": [SEPARATION],
        "steps": STEPS,
        "checkpoint_every": 3,
        "keep_steps": ["N=0"],
        "tensorboard": False,
        "examples_every": 0,
    }
    return start_cluster(2, shards, folder, "multi_worker", 1, changes)


def ends(processes, within_s=900):
    """Exit code, and what it says of a stop, of each; none may hang."""
    told = []
    for process in processes:
        try:
            told.append(process.communicate(timeout=within_s)[1])
        except subprocess.TimeoutExpired:
            process.kill()
            told.append(process.communicate()[1])
    lines = [
        [line for line in text.splitlines() if line.startswith("stopped: ")]
        for text in told
    ]
    return [
        (process.returncode, *own)
        for process, own in zip(processes, lines, strict=True)
    ]


@pytest.mark.parametrize("lost", [0, pytest.param(1, marks=pytest.mark.long)])
def test_a_cluster_survives_the_loss_of_its_processes(tmp_path, lost):
    """One is stopped, then one is killed: the weights are those of a cluster
    that nothing disturbed."""
    shards, folder = tmp_path / "shards", tmp_path / "runs"
    write_shards(shards, chirp_clips(13, 16000))
    assert ends(start_workers(shards, tmp_path / "whole")) == [(0,), (0,)]
    run = folder / SEPARATION

    workers = start_workers(shards, folder)
    wait_for(3, run, *workers)
    workers[1].send_signal(signal.SIGTERM)
    (chief, said), (other, other_said) = ends(workers)
    step = saved_step(run)
    assert chief == other == EXIT_STOPPED
    saved = f"; step {step} is saved, run again to go on"
    assert said == f"stopped: another process was stopped{saved}"
    assert other_said == f"stopped: stopped by SIGTERM{saved}"

    workers = start_workers(shards, folder)
    wait_for(saved_step(run) + 3, run, *workers)
    workers[lost].kill()
    told = ends(workers, LOST_WITHIN_S)
    assert told[lost] == (-signal.SIGKILL,)
    code, said = told[1 - lost]
    # Not `saved_step`: a checkpoint counts once it is listed.
    assert code == EXIT_STOPPED
    assert re.fullmatch(
        r"stopped: another process of the cluster was lost \([^{}]+\): "
        f"start all of them again, to go on from step {last_step(run)}",
        said,
    )

    assert ends(start_workers(shards, folder)) == [(0,), (0,)]
    assert_same_result(run, tmp_path / "whole" / SEPARATION)
