"""Jobs killed at random moments end with the bytes of an uninterrupted one."""

import os
import pathlib
import signal
import time

import numpy as np
import pytest

from data.run import processor_files
from data.run.atomic_write import write_json
from models.separation.separator import Separator
from tests import ROOT, script_process
from tests.data.sound_files import tone, write
from tests.data.write_shards_test import contents
from tests.train.small_shards import noise_clips, write_shards


def folder_job(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(40):
        rate_hz = (8000, 16000, 22050)[number % 3]
        audio = rng.uniform(-0.5, 0.5, (4 * rate_hz, 1 + number % 2))
        write(
            tmp_path / "in" / f"{number % 4}" / f"{number}.wav", audio, rate_hz
        )
    for number in range(5):
        (tmp_path / "in" / f"bad {number}.wav").write_bytes(rng.bytes(999))
        write(tmp_path / "in" / f"short {number}.wav", tone(0.01))
    return [
        "data/write_shards.py",
        "--audio_format=flac",
        f"--input={tmp_path / 'in'}",
        "--clips_per_shard=4",
        "--workers=2",
    ]


def separate_job(tmp_path):
    write_shards(tmp_path / "in", noise_clips(30, 16000), num_shards=6)
    small = {"basis": "stft", "bottleneck": 8, "conv_channels": 12}
    separator = Separator(num_dilations=2, num_repeats=1, **small)
    separator(np.zeros((1, 16000), "f4"))
    run = tmp_path / "run"
    (run / processor_files.FOLDER).mkdir(parents=True)
    record = {"stage": processor_files.STAGE, "config": {}}
    write_json(run / "config.json", record)
    for name in ("N", "S2"):
        separator.save(processor_files.processor_path(run, name))
    return [
        "train/separate_shards.py",
        f"--shards={tmp_path / 'in'}",
        f"--separator={run}",
    ]


def start(command, output):
    script, *flags = command
    command = [ROOT / script, *flags, f"--output={output}"]
    return script_process.ScriptProcess(command, output.parent)


def finish(command, output):
    process = start(command, output)
    assert process.wait() == 0, process.read("stderr")


def finished(folder):
    """Files that are there for others to see, and their content."""
    return {
        name: content
        for name, content in contents(folder).items()
        # The scan of headers keeps its files until the job ends.
        if not pathlib.PurePath(name).name.startswith(".")
        and not name.startswith("headers/")
    }


def kill_at(process, folder, seen, progress, later_s):
    """Kills the group once `progress` files were seen; whether it did."""
    while process.poll() is None and len(seen) < progress:
        seen.update(path.name for path in folder.glob("**/[!.]*"))
        time.sleep(0.005)
    time.sleep(later_s)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    code = process.wait()
    assert code in (0, -signal.SIGKILL), process.read("stderr")
    return code != 0


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.long)])
@pytest.mark.parametrize("job", [folder_job, separate_job])
def test_killed_jobs_end_with_the_bytes_of_an_uninterrupted_one(
    tmp_path, job, kills
):
    command = job(tmp_path)
    finish(command, tmp_path / "whole")
    whole = finished(tmp_path / "whole")
    killed = tmp_path / "killed"
    rng = np.random.default_rng(0)
    seen, moments = set(), []
    for share in (np.arange(kills) + rng.uniform(size=kills)) / kills:
        process = start(command, killed)
        progress = share * len(whole)
        if kill_at(process, killed, seen, progress, rng.uniform(0, 0.1)):
            found = finished(killed)
            moments.append(sum(name.endswith(".tfrecord") for name in found))
            # A file is there whole or not at all.
            for name in found:
                assert whole[name] == found[name], name
    assert moments
    finish(command, killed)
    assert finished(killed) == whole
    assert contents(killed).keys() == contents(tmp_path / "whole").keys()
    print(f"{job.__name__}: killed with shards: {moments}")
