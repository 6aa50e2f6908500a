import pytest

from data.run.atomic_write import (
    atomic_path,
    remove_leftovers,
    write_json,
    write_text,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "new" / "a.txt"
    with atomic_path(target) as path:
        path.write_text("whole")
        assert path.suffix == ".txt" and not target.exists()
    with pytest.raises(ZeroDivisionError), atomic_path(target) as path:
        path.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "whole" and names(target.parent) == ["a.txt"]


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
    write_json(tmp_path / "a.json", {"é": [1]})
    written = (tmp_path / "a.json").read_text("utf-8")
    assert written == '{\n  "é": [\n    1\n  ]\n}\n'


def test_what_kills_left_of_a_folder_is_removed_or_brought_back(tmp_path):
    for name in ("1", ".old-0a-1", ".old-0b-2", ".writing-0c-2", ".hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    (tmp_path / ".writing-0d-a.txt").write_text("half")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == [".hidden", "1", "2"]
    assert (tmp_path / "1" / "file").read_text() == "1"
    # Killed between two renames: it is the only one there is.
    assert (tmp_path / "2" / "file").read_text() == ".old-0b-2"


def test_what_kills_left_of_a_file_is_removed_and_of_others_not(tmp_path):
    for name in ("a.html", ".writing-0a-a.html", ".writing-0a-b-a.html"):
        (tmp_path / name).write_text(name)
    remove_leftovers(tmp_path / "a.html")
    assert names(tmp_path) == [".writing-0a-b-a.html", "a.html"]
