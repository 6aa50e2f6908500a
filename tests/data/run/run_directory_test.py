import dataclasses
import json

import pytest

from data.run import run_directory, run_lock
from data.run.errors import UserError
from data.run.flag_fields import option


@dataclasses.dataclass(frozen=True)
class Config:
    width: int = option(3, "width")
    steps: tuple[str, ...] = option(("0", "5"), "steps")
    workers: int = option(1, "processes", runtime_only=True)


def test_the_record_holds_stage_configuration_command_and_versions(tmp_path):
    folder = run_directory.start(str(tmp_path / "a/b"), "stage", Config())
    assert folder == tmp_path / "a/b"
    record = run_directory.read(folder, "stage")
    assert record["config"] == {"width": 3, "steps": ["0", "5"], "workers": 1}
    assert record["stage"] == "stage"
    assert record["command"] and record["versions"]["python"]


def test_a_run_goes_on_with_the_same_configuration(tmp_path):
    run_directory.start(str(tmp_path), "stage", Config())
    run_directory.start(str(tmp_path), "stage", Config(workers=8))
    assert run_directory.read(tmp_path)["config"]["workers"] == 8


def test_another_configuration_or_stage_is_refused(tmp_path):
    run_directory.start(str(tmp_path), "stage", Config())
    with pytest.raises(UserError, match="--width=3, now it is 4"):
        run_directory.start(str(tmp_path), "stage", Config(width=4))
    with pytest.raises(UserError, match="--steps=0,5, now it is 7"):
        run_directory.start(str(tmp_path), "stage", Config(steps=("7",)))
    with pytest.raises(UserError, match="holds a run of stage, not other"):
        run_directory.start(str(tmp_path), "other", Config())
    assert run_directory.read(tmp_path)["config"]["width"] == 3


def test_an_option_that_came_later_had_its_default(tmp_path):
    run_directory.start(str(tmp_path), "stage", Config())
    file = tmp_path / run_directory.CONFIG_FILE
    record = json.loads(file.read_text())
    del record["config"]["width"], record["config"]["steps"]
    file.write_text(json.dumps(record))
    with pytest.raises(UserError, match="--width=3, now it is 4"):
        run_directory.start(str(tmp_path), "stage", Config(width=4))
    run_directory.start(str(tmp_path), "stage", Config())


def test_others_than_the_chief_neither_write_nor_lock(tmp_path):
    folder = tmp_path / "a"
    started = run_directory.start(str(folder), "stage", Config(), False)
    assert started == folder and not folder.exists()
    run_directory.start(str(folder), "stage", Config())
    # As if the chief were another process.
    run_lock.release(folder)
    before = {file: file.read_bytes() for file in folder.iterdir()}
    assert before.keys() == {
        folder / run_directory.CONFIG_FILE,
        folder / run_lock.LOCK_FILE,
    }
    run_directory.start(str(folder), "stage", Config(workers=8), False)
    assert {f: f.read_bytes() for f in folder.iterdir()} == before
    with pytest.raises(UserError, match="--width=3, now it is 4"):
        run_directory.start(str(folder), "stage", Config(width=4), False)
    with pytest.raises(UserError, match="holds a run of stage, not other"):
        run_directory.start(str(folder), "other", Config(), False)
    with pytest.raises(UserError, match="--output is empty"):
        run_directory.start("", "stage", Config(), False)


def test_wrong_folders_are_told(tmp_path):
    with pytest.raises(UserError, match="--output is empty"):
        run_directory.start("", "stage", Config())
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(UserError, match="is not a folder"):
        run_directory.start(str(file), "stage", Config())
    with pytest.raises(UserError, match="is not a folder"):
        run_directory.start(str(file / "below"), "stage", Config())
    with pytest.raises(UserError, match="gone does not exist"):
        run_directory.read(tmp_path / "gone")
    with pytest.raises(UserError, match="no config.json.*output of stage"):
        run_directory.read(tmp_path, "stage")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        run_directory.read(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"stage": "other"}))
    with pytest.raises(UserError, match="is a run of other: name one of stage"):
        run_directory.read(tmp_path, "stage")


def test_what_a_killed_process_left_is_removed(tmp_path):
    for name in ("a", "b/c", "b/d/e"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.with_name(f".writing-0-{file.name}").write_text("half")
        file.write_text("whole")
    (tmp_path / "b/.writing-1-folder/x").mkdir(parents=True)
    run_directory.start(str(tmp_path), "stage", Config())
    left = list(tmp_path.rglob(".writing-*"))
    # Deeper ones may belong to a job that runs.
    assert left == [tmp_path / "b/d/.writing-0-e"]
    assert (tmp_path / "a").read_text() == "whole"
