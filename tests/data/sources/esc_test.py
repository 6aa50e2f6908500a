import pytest

from data.run.errors import UserError
from data.sources import esc
from tests.data.sources.manifests import found_of, touch

HEADER = "filename,fold,target,category,esc10,src_file,take\n"
TABLE = (
    HEADER + "1-100032-A-0.wav,1,0,dog,True,100032,A\n"
    "1-26143-A-21.wav,1,21,sneezing,True,26143,A\n"
    "2-103426-A-3.wav,2,3,cow,False,103426,A\n"
    "2-104168-A-0.wav,2,0,dog,True,104168,A\n"
    "5-9032-A-0.wav,5,0,dog,TRUE,9032,A\n"
)


def published(tmp_path, text=TABLE, table="meta/esc50.csv"):
    """A folder as published, without a sound of the second fold's dog."""
    root = tmp_path / "in"
    names = ("1-100032-A-0", "1-26143-A-21", "2-103426-A-3", "5-9032-A-0", "x")
    touch(root, *(f"audio/{name}.wav" for name in names), table)
    (root / table).write_text(text)
    return str(root)


@pytest.mark.parametrize("table", ["meta/esc50.csv", "meta.csv"])
def test_folds_are_splits_and_targets_order_the_classes(tmp_path, table):
    found = esc.read(published(tmp_path, table=table))
    assert found_of(found) == {
        "audio/1-100032-A-0.wav": (("dog",), "fold1"),
        "audio/1-26143-A-21.wav": (("sneezing",), "fold1"),
        "audio/2-103426-A-3.wav": (("cow",), "fold2"),
        "audio/5-9032-A-0.wav": (("dog",), "fold5"),
    }
    assert found.class_names == ("dog", "cow", "sneezing")
    assert found.counts == {"files_unused": 1} and found.others == (table,)
    [(name, kind, reason)] = found.missing
    assert (name, kind) == ("audio/2-104168-A-0.wav", "no_such_file")
    assert reason.startswith("line 5 of")


def test_eval_folds_make_train_and_eval(tmp_path):
    found = esc.read(published(tmp_path), eval_folds=("1", "5"))
    splits = [recording.split for recording in found.recordings]
    assert splits == ["eval", "eval", "train", "eval"]


def test_esc10_only_keeps_its_rows_and_classes(tmp_path):
    found = esc.read(published(tmp_path), esc10_only=True)
    assert [labels for labels, _ in found_of(found).values()] == [
        ("dog",),
        ("sneezing",),
        ("dog",),
    ]
    assert found.class_names == ("dog", "sneezing")
    assert found.counts["files_unused"] == 2


ROW = "1-100032-A-0.wav,1,0,dog,True,100032,A\n"


@pytest.mark.parametrize(
    "text, message",
    [
        ("filename,fold,category\nx,1,dog\n", "has no column 'target': it has"),
        (HEADER + ROW.replace(",1,", ",one,"), "line 2: the fold of .* 'one'"),
        (HEADER + ROW + ROW.replace(",0,", ",0.5,"), "line 3: the number of"),
        (HEADER + ROW + ",1,0,dog,True,,\n", "line 3: 'filename' is empty"),
    ],
)
def test_a_wrong_row_is_told_with_its_line(tmp_path, text, message):
    with pytest.raises(UserError, match=message) as caught:
        esc.read(published(tmp_path, text))
    assert "esc50.csv" in str(caught.value) and "\n" not in str(caught.value)


def test_a_wrong_esc10_is_told(tmp_path):
    root = published(tmp_path, HEADER + ROW.replace("True", "yes"))
    with pytest.raises(UserError, match="line 2: esc10 is 'yes': True or"):
        esc.read(root, esc10_only=True)
    root = published(tmp_path, "filename,fold,target,category\nx,1,0,dog\n")
    with pytest.raises(UserError, match="'esc10'.*leave out --esc10_only"):
        esc.read(root, esc10_only=True)


def test_a_folder_without_table_is_told(tmp_path):
    touch(tmp_path / "in", "audio/a.wav")
    with pytest.raises(UserError, match="neither meta/esc50.csv nor meta.csv"):
        esc.read(str(tmp_path / "in"))
