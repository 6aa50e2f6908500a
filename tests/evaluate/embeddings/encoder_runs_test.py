import pytest

from data.run.errors import UserError
from evaluate.embeddings import encoder_runs
from evaluate.embeddings.encoders import load_encoders
from tests.evaluate.toy_import import write_toy_import
from tests.evaluate.toy_runs import (
    balanced_clips,
    write_toy_run,
    write_toy_shards,
    write_unfinished_run,
)


@pytest.fixture
def shards(tmp_path):
    write_toy_shards(tmp_path / "shards", {"eval": balanced_clips(1)})
    return tmp_path / "shards"


def test_names_take_as_many_parents_as_they_need():
    assert encoder_runs.unique_names(["x/mix", "y/chan/"]) == ["mix", "chan"]
    names = encoder_runs.unique_names(["a/mix/last", "b/mix/last"])
    assert names == ["a/mix/last", "b/mix/last"]


def test_refuses_a_folder_named_twice():
    with pytest.raises(UserError, match="twice: a,./a"):
        encoder_runs.unique_names(["a", "./a"])


def test_shards_default_to_those_of_the_first_encoder(tmp_path, shards):
    write_toy_run(tmp_path / "run", shards)
    info = encoder_runs.open_shards([str(tmp_path / "run")], "")
    assert info.folder == shards


def test_refuses_an_unfinished_run(tmp_path, shards):
    write_unfinished_run(tmp_path / "run", shards)
    told = "has no embedding_model.keras: its run .* train/pretrain_contrastive"
    with pytest.raises(UserError, match=told):
        encoder_runs.open_shards([str(tmp_path / "run")], "")


def test_refuses_a_damaged_model(tmp_path, shards):
    write_toy_run(tmp_path / "run", shards)
    model = tmp_path / "run" / "embedding_model.keras"
    model.write_bytes(model.read_bytes()[:1000])
    with pytest.raises(UserError, match="embedding_model.keras is damaged"):
        load_encoders([str(tmp_path / "run")])


def test_refuses_missing_folders(tmp_path, shards):
    write_toy_run(tmp_path / "run", shards)
    with pytest.raises(UserError, match="nowhere does not exist"):
        encoder_runs.open_shards([str(tmp_path / "nowhere")], "")
    with pytest.raises(UserError, match="nowhere does not exist: make shards"):
        encoder_runs.open_shards(
            [str(tmp_path / "run")], str(tmp_path / "nowhere")
        )


def test_refuses_another_stage(tmp_path, shards):
    write_toy_run(tmp_path / "run", shards)
    config = tmp_path / "run" / "config.json"
    config.write_text(config.read_text().replace("pretrain_", "other_"))
    told = "other_contrastive: name one of pretrain_contrastive or import_panns"
    with pytest.raises(UserError, match=told):
        load_encoders([str(tmp_path / "run")])


def test_an_imported_encoder_has_no_shards_of_its_own(tmp_path, shards):
    write_toy_import(tmp_path / "run")
    told = "run is a run of import_panns, .* name some with --shards"
    with pytest.raises(UserError, match=told):
        encoder_runs.open_shards([str(tmp_path / "run")], "")
    info = encoder_runs.open_shards([str(tmp_path / "run")], str(shards))
    assert info.folder == shards


def test_refuses_shards_without_classes(tmp_path):
    write_toy_shards(tmp_path / "shards", {"eval": [(0.5, ())]}, class_names=())
    write_toy_run(tmp_path / "run", tmp_path / "shards")
    with pytest.raises(UserError, match="shards has no labels"):
        encoder_runs.open_labeled_shards([str(tmp_path / "run")], "", ["eval"])
