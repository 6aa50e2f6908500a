import shutil
import sys
import tomllib

import pytest

from data import write_shards
from data.ingest import ingest_job
from data.jobs.beam_runner import REQUIREMENT, make_one
from data.jobs.decoder_pool import DecoderPool
from data.run import flag_fields
from data.run.errors import UserError
from evaluate import embed
from tests.data.jobs import decoding_jobs_test
from tests.data.jobs.decoding_jobs_test import sprung
from tests.data.jobs.runners import beam
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
from train import separate_shards


@pytest.mark.parametrize(
    "script, options",
    [
        (write_shards, {"source": "synthetic"}),
        (separate_shards, {}),
        (embed, {}),
    ],
)
def test_every_job_asks_for_the_runner_of_its_flags(
    script, options, tmp_path, monkeypatch
):
    options |= {"output": str(tmp_path / "o"), "runner": "FlinkRunner"}
    monkeypatch.setattr(flag_fields, "read", lambda config: config(**options))
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    told = "--runner=Flink.* needs Apache Beam .*: run pip install 'apache-beam"
    with pytest.raises(UserError, match=told):
        script.main()
    assert not list(tmp_path.iterdir())


def test_the_command_that_installs_beam_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"]["beam"] == [REQUIREMENT]


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("NoRunner", "", "Unexpected pipeline runner: NoRunner"),
        ("DirectRunner", "--direct_num_workers=x", "invalid int value: 'x'"),
        ("DirectRunner", "--project='", "No closing quotation"),
    ],
)
def test_wrong_options_are_told(name, options, message):
    with pytest.raises(
        UserError, match=f"--beam_options={options}: .*{message}"
    ):
        beam(name, options)


def test_items_that_crash_are_left_out_on_beam_too(tmp_path):
    todo, made = decoding_jobs_test.tasks(tmp_path, crash=(8,)), []
    for runner in beam(), None:
        accounts = decoding_jobs_test.run(tmp_path, todo, runner=runner)
        assert accounts[1]["rejects"][0][:2] == [8, "crashed"]
        assert sprung(tmp_path / "notes") == [8, 8]
        made.append(files(tmp_path / "out"))
        shutil.rmtree(tmp_path / "out")
        (tmp_path / "notes").unlink()
    # No task waits in a file that somebody could replace, either.
    assert made[0] == made[1]


def test_an_error_is_passed_on_and_a_rerun_goes_on(tmp_path):
    with pytest.raises(UserError, match="twenty is bad"):
        run(tmp_path / "out", tasks(), fail_at_20, runner=beam())
    run(tmp_path / "out", tasks(), runner=beam())
    run(tmp_path / "new", tasks())
    assert files(tmp_path / "out") == files(tmp_path / "new")


def test_folders_that_workers_do_not_share_are_told(tmp_path):
    def elsewhere(make, tasks, shards):
        yield from tasks

    with pytest.raises(UserError, match="0.txt was made but is not there"):
        run(tmp_path, tasks(), runner=elsewhere)
    [task] = tasks(1)
    with pytest.raises(UserError, match="0.txt: a worker does not see .*none"):
        make_one(task, make_numbers, tmp_path / "none")


def test_shards_are_those_of_the_local_runner(tmp_path, monkeypatch):
    beam()
    monkeypatch.setattr(ingest_job, "DecoderPool", DecoderPool)
    for number in range(7):
        write(tmp_path / "in" / "x" / f"{number}.wav", tone(0.3))
    (tmp_path / "in" / "bad.wav").write_text("bad")
    workers = "--direct_running_mode=multi_processing --direct_num_workers=2"
    options = {"runner": "DirectRunner", "beam_options": workers}
    ingest_job.run(config(tmp_path, clips_per_shard=3, **options))
    local = config(tmp_path, clips_per_shard=3, output=str(tmp_path / "local"))
    ingest_job.run(local)
    assert contents(tmp_path / "out") == contents(tmp_path / "local")
