import json

import pytest

from data.run.atomic_write import atomic_path, write_json, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "new" / "a.txt"
    with atomic_path(target) as path:
        path.write_text("whole")
        assert path.suffix == ".txt" and not target.exists()
    assert target.read_text() == "whole"
    assert names(target.parent) == ["a.txt"]


def test_a_failed_block_leaves_all_as_it_was(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_path(target) as path:
        path.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_a_folder_is_replaced_or_kept(tmp_path):
    target = tmp_path / "model"
    for content in ("one", "two"):
        with atomic_path(target) as path:
            path.mkdir()
            (path / content).write_text(content)
        assert names(target) == [content]
    with pytest.raises(ZeroDivisionError), atomic_path(target) as path:
        path.mkdir()
        (path / "three").write_text("3")
        raise ZeroDivisionError
    assert names(target) == ["two"] and names(tmp_path) == ["model"]


def test_text_and_json_with_hard_names(tmp_path):
    write_text(tmp_path / "a.csv", "é \udcff\n")
    assert (tmp_path / "a.csv").read_bytes() == "é \\udcff\n".encode()
    write_json(tmp_path / "a.json", {"é": [1, 2.5]})
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {
        "é": [1, 2.5]
    }
