import pytest

from data.run.errors import UserError
from data.sources import fsd50k
from tests.data.sources.manifests import found_of, touch

VOCABULARY = (
    "0,Accelerating_and_revving_and_vroom,/m/07q2z82\n"
    "1,Accordion,/m/0mkg\n"
    "2,Chink_and_clink,/m/07q7njn\n"
    "3,Music,/m/04rlf\n"
)
DEV = (
    "fname,labels,mids,split\n"
    '64760,"Music,Accordion","/m/04rlf,/m/0mkg",train\n'
    "16399,Chink_and_clink,/m/07q7njn,val\n"
    "007,Music,/m/04rlf,train\n"
)
EVAL = "fname,labels,mids\n" + '37199,"Accordion,Music","/m/0mkg,/m/04rlf"\n'


def published(tmp_path, dev=DEV):
    """A folder as published, with one recording converted, one missing."""
    root = tmp_path / "in"
    touch(root / "FSD50K.dev_audio", "64760.wav", "16399.flac", "37199.wav")
    touch(root / "FSD50K.eval_audio", "37199.json", "37199.wav", "37199.xml")
    truth = root / "FSD50K.ground_truth"
    truth.mkdir()
    (truth / "dev.csv").write_text(dev)
    (truth / "eval.csv").write_text(EVAL)
    (truth / "vocabulary.csv").write_text(VOCABULARY)
    return str(root)


def test_rows_name_recordings_by_number_and_part(tmp_path):
    found = fsd50k.read(published(tmp_path))
    assert found_of(found) == {
        "FSD50K.dev_audio/16399.flac": (("Chink_and_clink",), "val"),
        "FSD50K.dev_audio/64760.wav": (("Accordion", "Music"), "train"),
        "FSD50K.eval_audio/37199.wav": (("Accordion", "Music"), "eval"),
    }
    assert found.class_names[1:] == ("Accordion", "Chink_and_clink", "Music")
    assert found.counts == {"files_unused": 1}
    assert [name.split("/")[1] for name in found.others] == [
        *("37199.json", "37199.xml", "dev.csv", "eval.csv", "vocabulary.csv")
    ]
    [(name, kind, reason)] = found.missing
    assert (name, kind) == ("FSD50K.dev_audio/007.wav", "no_such_file")
    assert reason.startswith("line 4 of") and "dev.csv" in reason


def test_a_label_outside_the_vocabulary_is_refused(tmp_path):
    dev = DEV.replace("Music,Accordion", "Music,Acordion")
    found = fsd50k.read(published(tmp_path, dev))
    assert len(found.recordings) == 2
    [(name, kind, reason)] = found.rejects
    assert (name, kind) == ("FSD50K.dev_audio/64760.wav", "unknown_label")
    assert "vocabulary.csv: did you mean Accordion" in reason


@pytest.mark.parametrize(
    "dev, message",
    [
        ("fname,labels,mids\n1,Music,/m/1\n", "dev.csv has no column 'split'"),
        (DEV.replace("val", "test"), "dev.csv, line 3: the split of 16399 is "),
        (DEV + ",Music,/m/04rlf,train\n", "dev.csv, line 5: 'fname' is empty"),
    ],
)
def test_a_wrong_row_is_told_with_its_line(tmp_path, dev, message):
    with pytest.raises(UserError, match=message) as caught:
        fsd50k.read(published(tmp_path, dev))
    assert "\n" not in str(caught.value)
