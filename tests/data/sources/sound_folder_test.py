import os
import re

import pytest

from data.run.errors import UserError
from data.sources import sound_folder
from tests.data.sources.manifests import found_of, touch


def read(folder, table=None, eval_folds=(), classes=()):
    """The manifest of a folder, by the text of a table."""
    labels = ""
    if table is not None:
        labels = f"{folder}.csv"
        with open(labels, "wb") as file:
            file.write(table.encode("utf-8", "surrogateescape"))
    return sound_folder.read(
        str(folder), labels, eval_folds=eval_folds, classes=classes
    )


def labels_of(found):
    return {recording.path: recording.labels for recording in found.recordings}


def test_audio_is_found_at_any_depth_in_order_of_path(tmp_path):
    touch(tmp_path, "b.WAV", "x/y/z/a.flac", "x/c.Ogg", "d.mp3", "notes.txt")
    touch(tmp_path, ".hidden.wav", ".git/e.wav")
    found = read(tmp_path)
    paths = [recording.path for recording in found.recordings]
    assert paths == [
        *("b.WAV", "d.mp3", "notes.txt", "x/c.Ogg", "x/y/z/a.flac")
    ]


def test_the_first_sub_folder_is_the_label(tmp_path):
    touch(tmp_path, "a.wav", "dog/b.wav", "cat bird/deep/c.wav")
    assert labels_of(read(tmp_path)) == {
        "a.wav": (),
        "dog/b.wav": ("dog",),
        "cat bird/deep/c.wav": ("cat bird",),
    }


@pytest.mark.parametrize(
    "files, told",
    [
        (("audio/a.wav", "audio/b.wav"), True),
        (("audio/a.wav", "c.wav"), True),
        (("dog/a.wav", "cat/b.wav"), False),
        (("a.wav", "b.wav"), False),
    ],
)
def test_a_sub_folder_that_is_the_only_class_is_told(
    files, told, tmp_path, caplog
):
    """As where --input is the root of a dataset."""
    touch(tmp_path, *files)
    read(tmp_path)
    assert ("audio, so that is the only class" in caplog.text) == told
    caplog.clear()
    read(tmp_path, "filename,labels\n" + f"{files[0]},x\n")
    assert not caplog.text


def test_links_are_followed_once_and_broken_ones_kept(tmp_path):
    touch(tmp_path, "x/a.wav")
    os.symlink(tmp_path, tmp_path / "x" / "loop")
    os.symlink(tmp_path / "x", tmp_path / "y")
    os.symlink("nowhere", tmp_path / "b.wav")
    assert list(labels_of(read(tmp_path))) == ["b.wav", "x/a.wav"]


def test_rows_name_files_by_path_or_bare_name(tmp_path):
    touch(tmp_path, "x/a.wav", "y/a.wav", "y/b.wav")
    table = (
        "labels,filename\n dog ; bark ;,x/a.wav\ncat,./y\\a.wav\n\nrain,b.wav\n"
    )
    assert labels_of(read(tmp_path, table)) == {
        "x/a.wav": ("bark", "dog"),
        "y/a.wav": ("cat",),
        "y/b.wav": ("rain",),
    }


def test_hard_names_match(tmp_path):
    # The last has letter and accent apart, as some systems store them.
    names = ['a "b" c.wav', "<script>.wav", "x\udcff.wav", "u\u0308.wav"]
    touch(tmp_path, *names)
    found = read(
        tmp_path,
        'filename,labels\n"a ""b"" c.wav",1\n<script>.wav,2\n'
        "x\udcff.wav,3\n\u00fc.wav,4\n",
    )
    assert labels_of(found) == {
        name: (label,) for name, label in zip(names, "1234", strict=True)
    }
    assert "x\\xff.wav" in [recording.name for recording in found.recordings]


def test_files_without_row_are_kept_and_rows_without_file_listed(tmp_path):
    touch(tmp_path, "a.wav", "b.wav")
    table = "filename,labels,split\na.wav,x,eval\ngone.wav,y,train\n"
    found = read(tmp_path, table)
    assert found_of(found) == {
        "a.wav": (("x",), "eval"),
        "b.wav": ((), "train"),
    }
    assert [r.is_named for r in found.recordings] == [True, False]
    [(name, kind, reason)] = found.missing
    assert (name, kind) == ("gone.wav", "no_such_file")
    assert reason.startswith("line 3 of")


FOLDS = "filename,labels,fold\na.wav,x,2\nb.wav,x,10\nc.wav,,1\n"


@pytest.mark.parametrize(
    "eval_folds, held_out", [(("2",), "a"), (("1", "2"), "ac"), ((), "b")]
)
def test_folds_make_splits_and_the_last_is_the_default(
    tmp_path, eval_folds, held_out
):
    touch(tmp_path, "a.wav", "b.wav", "c.wav")
    found = read(tmp_path, FOLDS, eval_folds)
    splits = {name[0]: split for name, (_, split) in found_of(found).items()}
    assert splits == {
        name: "eval" if name in held_out else "train" for name in "abc"
    }


def test_an_unknown_label_is_refused_with_the_nearest_names(tmp_path):
    touch(tmp_path, "a.wav", "b.wav")
    table = "filename,labels\na.wav,doog\nb.wav,cat\n"
    found = read(tmp_path, table, classes=("dog", "cat", "rain"))
    # Without a column for it, the split is left open.
    assert found_of(found) == {"b.wav": (("cat",), "")}
    reason = "label 'doog' is not in --classes: did you mean dog?"
    assert found.rejects == (("a.wav", "unknown_label", reason),)


@pytest.mark.parametrize(
    "text, message",
    [
        ("filename;labels\na.wav;x\n", "no column 'filename': it has filena"),
        ("filename,category\na.wav,x\n", "no column 'labels'.*--label_column"),
        ("filename,labels\n", "a header but no row"),
        ("filename,labels\na.wav,\n,\n", "'labels' is empty in all 1 rows"),
        (
            "filename,labels\na.wav,x\nb.wav,x,y\n",
            "line 3: more cells than",
        ),
        ('filename,labels\na.wav,"x\n', "not a valid CSV"),
        ("filename,labels\n,x\n", "line 2: 'filename' is empty"),
        ("filename,labels,split\na.wav,x,\n", "line 2: the split of a.wav is"),
        ("filename,labels,fold\na.wav,x,1\nb.wav,x,\n", "line 3: the fold"),
        ("filename,labels\na.wav,caf\udce9\n", "line 2.*not UTF-8"),
        ("filename,labels\nq.wav,x\n", "no row matches.*q.wav.*e.g. a.wav"),
        ("filename,labels\nb.wav,x\n", "b.wav is 2 files, x/b.wav and y/b.wav"),
        ("filename,labels\na.wav,x\na.wav,y\n", "line 3: a.wav is already in"),
    ],
)
def test_a_wrong_table_is_told_with_its_line(tmp_path, text, message):
    touch(tmp_path, "a.wav", "x/b.wav", "y/b.wav")
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value).strip()


@pytest.mark.parametrize(
    "text, eval_folds, message",
    [
        (FOLDS, ("7",), "has fold 7; its folds are 1, 2, 10"),
        ("filename,labels\na.wav,x\n", ("1",), "needs a column 'fold'"),
    ],
)
def test_a_wrong_fold_is_told(tmp_path, text, eval_folds, message):
    touch(tmp_path, "a.wav", "b.wav", "c.wav")
    with pytest.raises(UserError, match=re.escape(message)):
        read(tmp_path, text, eval_folds)


def test_a_missing_folder_or_one_without_audio_is_told(tmp_path):
    with pytest.raises(UserError, match="--input=.*gone does not exist"):
        read(tmp_path / "gone")
    touch(tmp_path, "x.m4a", "y.m4a", "file.txt")
    with pytest.raises(UserError, match="--input=.*x.m4a is not a folder"):
        read(tmp_path / "x.m4a")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="--input=.*empty has no file at any d"):
        read(tmp_path / "empty")


def test_a_table_is_read_as_written(tmp_path):
    touch(tmp_path, "007.wav")
    file = tmp_path.parent / "l.csv"
    with pytest.raises(UserError, match="--labels=.*l.csv does not exist"):
        sound_folder.read(str(tmp_path), str(file), "fname", "cls")
    file.write_text("\ufefffname,cls,fold\n007.wav,NA;nan,01\n")
    found = sound_folder.read(str(tmp_path), str(file), "fname", "cls")
    assert found_of(found) == {"007.wav": (("NA", "nan"), "eval")}
