import pytest

from data.run.errors import UserError
from evaluate.recordings import sound_inputs


@pytest.fixture
def folder(tmp_path):
    for name in ("a.wav", "deep/er/b.wav", "deep/c.txt", "[d].wav"):
        file = tmp_path / "in" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    return tmp_path / "in"


def found(text):
    root, recordings = sound_inputs.find(str(text))
    return root, [(r.path, r.is_named) for r in recordings]


def test_a_folder_is_all_that_is_in_it(folder):
    assert found(folder) == (
        str(folder),
        [
            (n, False)
            for n in ("[d].wav", "a.wav", "deep/c.txt", "deep/er/b.wav")
        ],
    )


def test_a_file_is_itself(folder):
    assert found(folder / "a.wav") == (str(folder), [("a.wav", True)])
    # And is no pattern.
    assert found(folder / "[d].wav") == (str(folder), [("[d].wav", True)])


def test_a_pattern_is_what_matches(folder, monkeypatch):
    names = ["[d].wav", "a.wav", "deep/er/b.wav"]
    pattern = folder / "**" / "*.wav"
    assert found(pattern) == (str(folder), [(n, True) for n in names])
    monkeypatch.chdir(folder)
    assert found("*.wav") == (".", [("[d].wav", True), ("a.wav", True)])


@pytest.mark.parametrize(
    "name, told",
    [
        ("", "--input is empty"),
        ("none", "none does not exist"),
        ("*.mp3", r"\*\.mp3 matches no file"),
        ("dee*", r"dee\* matches no file"),
    ],
)
def test_nothing_is_told(folder, monkeypatch, name, told):
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match=told):
        sound_inputs.find(name)
