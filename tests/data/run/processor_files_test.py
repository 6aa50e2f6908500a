import pytest

from data.run import processor_files
from data.run.atomic_write import write_json
from data.run.errors import UserError


def _run(folder, stage, *names):
    (folder / "processors").mkdir(parents=True)
    write_json(folder / "config.json", {"stage": stage, "config": {}})
    for name in names:
        processor_files.processor_path(folder, name).write_text("")
    return folder


@pytest.mark.parametrize("stage", ["train_separation", "import_separator"])
def test_runs_of_both_stages_hold_processors(stage, tmp_path):
    run = _run(tmp_path, stage, "N", "S2", ".writing-S3")
    files = {n: tmp_path / "processors" / f"{n}.keras" for n in ("N", "S2")}
    assert processor_files.find(run) == files
    assert processor_files.find_one(run, "S2") == ("S2", files["S2"])
    with pytest.raises(UserError, match="processors N, S2: name one with"):
        processor_files.find_one(run)
    with pytest.raises(UserError, match="no processor 'S9': it has N, S2"):
        processor_files.find_one(run, "S9")
    # The only one needs no name.
    files["N"].unlink()
    assert processor_files.find_one(run) == ("S2", files["S2"])


def test_other_runs_and_empty_ones_are_told(tmp_path):
    other = _run(tmp_path / "a", "pretrain_contrastive", "S2")
    both = "name one of train_separation or import_separator"
    with pytest.raises(UserError, match=f"pretrain_contrastive: {both}"):
        processor_files.find(other)
    for stage, remedy in (
        ("train_separation", "separation.py until the first of its --keep"),
        ("import_separator", "run train/import_separator.py again$"),
    ):
        with pytest.raises(UserError, match=f"no checkpoint: .*{remedy}"):
            processor_files.find(_run(tmp_path / stage, stage))
