import json
import shutil

import numpy as np
import pytest

from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo
from data.shards.record_index import RecordIndex
from evaluate.embeddings.clip_embeddings import embed_shard
from evaluate.embeddings.encoders import load_encoders
from evaluate.export_saved_model import ExportConfig
from evaluate.serving import saved_model
from tests.evaluate.entry_point_runs import (
    assert_user_error,
    exported,
    run_entry_point,
)
from tests.evaluate.serving.saved_model_loaders import (
    answers_in_a_session,
    answers_without_keras,
)
from tests.evaluate.toy_runs import (
    RATE_HZ,
    toy_clip,
    write_toy_run,
    write_toy_shards,
)

SECONDS = (0.5, 0.96, 3.0, 10.0)
BATCHES = (1, 7)


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    clips = {str(seconds): [(seconds, (0, 1))] for seconds in SECONDS}
    write_toy_shards(folder / "shards", clips)
    model = write_toy_run(folder / "run", folder / "shards")
    config = ExportConfig(str(folder / "run"), str(folder / "served"))
    return folder, model, exported(config)


@pytest.fixture(scope="module")
def waveforms():
    """(B, T) for each batch and duration; row 0 is the clip of the shards."""
    inputs = {}
    for number, seconds in enumerate(SECONDS):
        random = np.random.default_rng(number)
        audio = toy_clip(number, seconds, (0, 1))
        audio = np.round(audio.astype("f8") * 32768).astype("f4") / 32768
        for batch in BATCHES:
            others = random.normal(0, 0.1, (batch - 1, len(audio)))
            rows = np.concatenate([audio[None], others]).astype("f4")
            inputs[f"{batch}x{seconds}"] = rows
    return inputs


def test_fresh_process_without_keras_gives_the_embedding_of_evaluate(
    toy, waveforms, tmp_path
):
    folder, model, served = toy
    answers = answers_without_keras(served, waveforms, tmp_path)
    for name, waveform in waveforms.items():
        np.testing.assert_allclose(
            answers[f"{name}/serving_default/embedding"],
            model(waveform),
            atol=1e-5,
        )
        np.testing.assert_allclose(
            answers[f"{name}/windows/windows"],
            model.embed_windows(waveform),
            atol=1e-5,
        )
    [encoder] = load_encoders([str(folder / "run")])
    info = DatasetInfo.load(folder / "shards")
    for seconds in SECONDS:
        index = RecordIndex.of(info, [str(seconds)])
        store, _ = embed_shard(encoder, index)
        for batch in BATCHES:
            answer = answers[f"{batch}x{seconds}/serving_default/embedding"]
            np.testing.assert_allclose(store.clips[0], answer[0], atol=1e-5)


def test_session_loader_gives_the_same(toy, waveforms):
    _, model, served = toy
    answers = answers_in_a_session(served, waveforms)
    assert len(answers) == 2 * len(waveforms)
    for name, waveform in waveforms.items():
        answer = answers[f"{name}/serving_default/embedding"]
        np.testing.assert_allclose(answer, model(waveform), atol=1e-5)


def test_description_says_where_the_model_comes_from(toy):
    folder, model, served = toy
    assert served == folder / "served" / "1"
    value = json.loads((served / "assets.extra" / "model.json").read_text())
    assert value["sample_rate_hz"] == RATE_HZ
    assert value["embedding_dim"] == 11
    assert value["window_samples"] == 15600
    assert value["pretraining"]["shards"] == str(folder / "shards")
    assert value["encoder"] == str(folder / "run")
    # A version folder and nothing half written beside it.
    assert [path.name for path in served.parent.iterdir()] == ["1"]


def test_exporting_again_does_nothing_and_another_model_is_refused(
    toy, tmp_path, capsys
):
    folder, _, served = toy
    before = {p: p.stat().st_mtime_ns for p in served.rglob("*")}
    config = ExportConfig(str(folder / "run"), str(served.parent))
    assert exported(config) == served
    assert "holds this model already" in capsys.readouterr().out
    write_toy_run(tmp_path / "other", folder / "shards", seed=1)
    other = ExportConfig(str(tmp_path / "other"), str(served.parent))
    with pytest.raises(UserError, match="holds another model: raise --version"):
        exported(other)
    assert {p: p.stat().st_mtime_ns for p in served.rglob("*")} == before


def test_an_export_that_disagrees_never_appears(toy, tmp_path, monkeypatch):
    folder, model, served = toy
    monkeypatch.setattr(
        saved_model, "write", lambda _, path: shutil.copytree(served, path)
    )
    write_toy_run(tmp_path / "other", folder / "shards", seed=1)
    with pytest.raises(RuntimeError, match="off Keras"):
        exported(
            ExportConfig(str(tmp_path / "other"), str(tmp_path / "served"))
        )
    assert list((tmp_path / "served").iterdir()) == []


def test_run_prints_path_signatures_and_how_to_serve(toy, tmp_path):
    folder, _, _ = toy
    output = tmp_path / "served here"
    done = run_entry_point(
        "export_saved_model",
        f"--encoder={folder / 'run'}",
        f"--output={output}",
        "--version=3",
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"SavedModel: {output / '3'} (")
    assert lines[1] == (
        "serving_default: waveform [B, T] at 16000 Hz -> embedding [B, 11]"
    )
    assert f"--dir '{output / '3'}'" in lines[3]
    assert f"-v '{output}:/models/embedding'" in lines[4]
    assert (output / "3" / "saved_model.pb").exists()


def test_mistakes_are_told_in_one_line(toy, tmp_path):
    folder, _, _ = toy
    assert_user_error(
        run_entry_point("export_saved_model", "--output=x"),
        "--encoder is empty",
    )
    (tmp_path / "file").write_text("")
    assert_user_error(
        run_entry_point(
            "export_saved_model",
            f"--encoder={folder / 'run'}",
            f"--output={tmp_path / 'file'}",
        ),
        "is not a folder",
    )
