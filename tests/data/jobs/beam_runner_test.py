import subprocess
import sys
import tomllib

import pytest

from data.ingest import ingest_job
from data.jobs.beam_runner import REQUIREMENT, make_one, on_beam
from data.jobs.decoder_pool import DecoderPool
from data.run.errors import UserError
from tests import skips
from tests.data.jobs import decoding_jobs_test, runners
from tests.data.jobs.decoding_jobs_test import sprung
from tests.data.jobs.shard_jobs_test import (
    ROOT,
    fail_at_20,
    files,
    make_numbers,
    run,
    tasks,
)
from tests.data.sound_files import tone, write
from tests.data.write_shards_test import config, contents


def test_without_beam_the_command_that_installs_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    told = "--runner=X needs Apache Beam .*: run pip install 'apache-beam>="
    with pytest.raises(UserError, match=told):
        on_beam("X")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"]["beam"] == [REQUIREMENT]


WITHOUT_BEAM = """
import runpy, sys

sys.modules["apache_beam"] = None
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(
    "script",
    ["data/write_shards.py", "train/separate_shards.py", "evaluate/embed.py"],
)
def test_every_job_asks_for_the_runner_of_its_flags(script, tmp_path):
    flags = ["--output=o", "--runner=FlinkRunner"]
    if script == "data/write_shards.py":
        flags.append("--source=synthetic")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_BEAM, str(ROOT / script), *flags],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert "--runner=FlinkRunner needs Apache Beam" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.fixture
def runner():
    return runners.beam()


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("NoRunner", "", "Unexpected pipeline runner: NoRunner"),
        ("DirectRunner", "--direct_num_workers=x", "invalid int value: 'x'"),
        ("DirectRunner", "--project='", "No closing quotation"),
    ],
)
def test_wrong_options_are_told(runner, name, options, message):
    with pytest.raises(
        UserError, match=f"--beam_options={options}: .*{message}"
    ):
        on_beam(name, options)


def test_items_that_crash_are_left_out_on_beam_too(tmp_path, runner):
    accounts = {}
    for name, by in (("beam", runner), ("here", None)):
        folder = tmp_path / name
        folder.mkdir()
        todo = decoding_jobs_test.tasks(folder, crash=(8,))
        accounts[name] = decoding_jobs_test.run(folder, todo, runner=by)
        assert sprung(folder / "notes") == [8, 8]
    shards = [(tmp_path / name / "out" / "1.txt") for name in accounts]
    assert len({shard.read_bytes() for shard in shards}) == 1
    rejects = [[a["rejects"] for a in found] for found in accounts.values()]
    assert rejects[0] == rejects[1] and rejects[0][1][0][:2] == [8, "crashed"]
    # No task waits in a file that somebody could replace.
    assert not list((tmp_path / "beam" / "out").glob(".writing*"))


def test_an_error_is_passed_on_and_a_rerun_goes_on(tmp_path, runner):
    with pytest.raises(UserError, match="twenty is bad"):
        run(tmp_path / "out", tasks(), fail_at_20, runner=runner)
    run(tmp_path / "out", tasks(), runner=runner)
    run(tmp_path / "new", tasks())
    assert files(tmp_path / "out") == files(tmp_path / "new")


def test_files_that_went_elsewhere_are_told(tmp_path, runner, monkeypatch):
    monkeypatch.setattr("data.jobs.beam_runner.make_one", lambda *_: None)
    with pytest.raises(UserError, match="0.txt was made but is not there"):
        run(tmp_path, tasks(), runner=runner)


def test_a_folder_that_workers_do_not_see_is_told(tmp_path):
    [task] = tasks(1)
    with pytest.raises(UserError, match="0.txt: a worker does not see .*none"):
        make_one(task, make_numbers, tmp_path / "none")


@pytest.mark.parametrize("workers", ["", "multi_processing"])
def test_shards_are_those_of_the_local_runner(tmp_path, workers, monkeypatch):
    pytest.importorskip("apache_beam", reason=skips.missing("apache-beam"))
    monkeypatch.setattr(ingest_job, "DecoderPool", DecoderPool)
    for number in range(7):
        write(tmp_path / "in" / "x" / f"{number}.wav", tone(0.3))
    (tmp_path / "in" / "bad.wav").write_text("bad")
    options = ""
    if workers:
        options = f"--direct_running_mode={workers} --direct_num_workers=2"
    ingest_job.run(
        config(
            tmp_path,
            clips_per_shard=3,
            runner="DirectRunner",
            beam_options=options,
        )
    )
    local = config(tmp_path, clips_per_shard=3, output=str(tmp_path / "local"))
    ingest_job.run(local)
    assert contents(tmp_path / "out") == contents(tmp_path / "local")
