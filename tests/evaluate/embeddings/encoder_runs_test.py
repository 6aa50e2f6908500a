import shutil

import pytest

from data.run.errors import UserError
from evaluate.embeddings.encoder_runs import (
    open_labeled_shards,
    open_shards,
    unique_names,
)
from evaluate.embeddings.encoders import load_encoders
from tests.evaluate.toy_import import write_toy_import
from tests.evaluate.toy_runs import (
    balanced_clips,
    write_toy_run,
    write_toy_shards,
)


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    write_toy_shards(folder / "shards", {"eval": balanced_clips(1)})
    write_toy_shards(folder / "bare", {"eval": [(0.5, ())]}, class_names=())
    write_toy_run(folder / "run", folder / "shards")
    return folder


@pytest.fixture
def run(toy, tmp_path):
    return shutil.copytree(toy / "run", tmp_path / "run")


def test_names_take_as_many_parents_as_they_need():
    assert unique_names(["x/mix", "y/chan/"]) == ["mix", "chan"]
    names = unique_names(["a/mix/last", "b/mix/last"])
    assert names == ["a/mix/last", "b/mix/last"]
    with pytest.raises(UserError, match="twice: a,./a"):
        unique_names(["a", "./a"])


def test_shards_default_to_those_of_the_first_encoder(toy, run):
    assert open_shards([str(run)], "").folder == toy / "shards"


def test_refuses_an_unfinished_run_and_a_damaged_model(run):
    model = run / "embedding_model.keras"
    model.write_bytes(model.read_bytes()[:1000])
    with pytest.raises(UserError, match="embedding_model.keras is damaged"):
        load_encoders([str(run)])
    model.unlink()
    told = "has no embedding_model.keras: its run .* train/pretrain_contrastive"
    with pytest.raises(UserError, match=told):
        open_shards([str(run)], "")


def test_refuses_missing_folders(toy, run):
    with pytest.raises(UserError, match="nowhere does not exist: is the path"):
        open_shards([str(toy / "nowhere")], "")
    with pytest.raises(UserError, match="nowhere does not exist: name"):
        open_shards([str(run)], str(toy / "nowhere"))


def test_refuses_another_stage(run):
    config = run / "config.json"
    config.write_text(config.read_text().replace("pretrain_", "other_"))
    told = "other_contrastive: name one of pretrain_contrastive or import_panns"
    with pytest.raises(UserError, match=told):
        load_encoders([str(run)])


def test_an_imported_encoder_has_no_shards_of_its_own(toy, tmp_path):
    run = str(write_toy_import(tmp_path / "run"))
    told = "run is a run of import_panns, .* name some with --shards"
    with pytest.raises(UserError, match=told):
        open_shards([run], "")
    shards = toy / "shards"
    assert open_shards([run], str(shards)).folder == shards


def test_refuses_shards_without_classes(toy, run):
    with pytest.raises(UserError, match="bare has no labels"):
        open_labeled_shards([str(run)], str(toy / "bare"), ["eval"])
