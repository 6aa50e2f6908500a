import dataclasses
import json

import pytest

from data.run import run_directory, run_lock
from data.run.errors import UserError
from data.run.flag_fields import option
from data.run.run_directory import CONFIG_FILE, RunOptions


@dataclasses.dataclass(frozen=True)
class Config(RunOptions):
    width: int = option(3, "width")
    steps: tuple[str, ...] = option(("0", "5"), "steps")
    input: str = option("", "folder", runtime_only=True)


def start(folder, stage="stage", is_chief=True, inputs=None, **options):
    return run_directory.start(
        str(folder), stage, Config(**options), inputs, is_chief
    )


def assert_others_are_refused(folder, is_chief=True):
    with pytest.raises(UserError, match="--width=3, now it is 4"):
        start(folder, "stage", is_chief, width=4)
    with pytest.raises(UserError, match="--steps=0,5, now it is 7"):
        start(folder, "stage", is_chief, steps=("7",))
    with pytest.raises(UserError, match="holds a run of stage, not other"):
        start(folder, "other", is_chief)


def test_the_record_holds_stage_configuration_command_and_versions(tmp_path):
    folder = start(tmp_path / "a/b")
    assert folder == tmp_path / "a/b"
    record = run_directory.read(folder, "stage")
    config = {"remake": False, "width": 3, "steps": ["0", "5"], "input": ""}
    assert record["config"] == config
    assert record["stage"] == "stage"
    assert record["command"] and record["versions"]["python"]


def test_a_run_goes_on_with_the_same_configuration_only(tmp_path):
    start(tmp_path)
    start(tmp_path, input="b")
    assert run_directory.read(tmp_path)["config"]["input"] == "b"
    assert_others_are_refused(tmp_path)
    # An option that came later had its default.
    record = run_directory.read(tmp_path)
    del record["config"]["width"], record["config"]["steps"]
    (tmp_path / CONFIG_FILE).write_text(json.dumps(record))
    assert_others_are_refused(tmp_path)
    start(tmp_path)
    assert run_directory.read(tmp_path)["config"]["width"] == 3


def test_a_run_goes_on_from_the_same_content_only(tmp_path, caplog):
    start(tmp_path / "a", inputs={"input": "1"}, input="x")
    # Another path, the same content; and what is needed no more.
    start(tmp_path / "a/", inputs={"input": "1"}, input="x/")
    start(tmp_path / "a")
    assert run_directory.read(tmp_path / "a")["inputs"] == {"input": "1"}
    (tmp_path / "a/model").write_text("made from 1")
    (tmp_path / "a/kept").mkdir()
    with pytest.raises(UserError, match="--input held something else than y"):
        start(tmp_path / "a", inputs={"input": "2"}, input="y")
    caplog.set_level("INFO", logger="absl")
    start(tmp_path / "a", inputs={"input": "1"}, remake=True)
    assert (tmp_path / "a/model").exists() and not caplog.text
    start(tmp_path / "a", inputs={"input": "2"}, input="y", remake=True)
    assert "--input held something else than y holds now: it" in caplog.text
    start(tmp_path / "b", inputs={"steps": "1"})
    with pytest.raises(UserError, match="--steps held something else than 0,5"):
        start(tmp_path / "b", inputs={"steps": "2"})
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == [run_lock.LOCK_FILE, CONFIG_FILE]
    assert run_directory.read(tmp_path / "a")["inputs"] == {"input": "2"}


def test_other_options_are_taken_up_where_a_run_is_made_again(tmp_path):
    start(tmp_path)
    (tmp_path / "model").write_text("of width 3")
    with pytest.raises(UserError, match="--width=3, now it is 4.*--remake"):
        start(tmp_path, width=4)
    with pytest.raises(UserError, match="holds a run of stage"):
        start(tmp_path, "other", remake=True)
    assert (tmp_path / "model").exists()
    start(tmp_path, width=4, remake=True)
    assert not (tmp_path / "model").exists()
    start(tmp_path, width=4)


def test_others_than_the_chief_neither_write_nor_lock(tmp_path):
    folder = tmp_path / "a"
    assert start(folder, is_chief=False) == folder and not folder.exists()
    start(folder)
    # As if the chief were another process.
    run_lock.release(folder)
    before = {file: file.read_bytes() for file in folder.iterdir()}
    assert before.keys() == {folder / CONFIG_FILE, folder / run_lock.LOCK_FILE}
    start(folder, is_chief=False, input="b")
    assert {f: f.read_bytes() for f in folder.iterdir()} == before
    assert_others_are_refused(folder, is_chief=False)


def test_wrong_folders_are_told(tmp_path):
    with pytest.raises(UserError, match="--output is empty"):
        start("")
    file = tmp_path / "file"
    file.write_text("x")
    for path in (file, file / "below"):
        with pytest.raises(UserError, match="is not a folder"):
            start(path)
    with pytest.raises(UserError, match="gone does not exist"):
        run_directory.read(tmp_path / "gone")
    with pytest.raises(UserError, match="no config.json.*output of stage"):
        run_directory.read(tmp_path, "stage")
    (tmp_path / CONFIG_FILE).write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        run_directory.read(tmp_path)
    (tmp_path / CONFIG_FILE).write_text(
        json.dumps({"stage": "other", "config": {}})
    )
    with pytest.raises(UserError, match="is a run of other: name one of stage"):
        run_directory.read(tmp_path, "stage")


def test_what_a_killed_process_left_is_removed(tmp_path):
    for name in ("a", "b/c", "b/d/e"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.with_name(f".writing-0-{file.name}").write_text("half")
        file.write_text("whole")
    (tmp_path / "b/.writing-1-folder/x").mkdir(parents=True)
    start(tmp_path)
    left = list(tmp_path.rglob(".writing-*"))
    # Deeper ones may belong to a job that runs.
    assert left == [tmp_path / "b/d/.writing-0-e"]
    assert (tmp_path / "a").read_text() == "whole"
