"""An imported encoder stands wherever a pretrained one does."""

import numpy as np
import pytest
import tensorflow as tf

from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings.embedding_cache import embeddings
from evaluate.embeddings.encoders import load_encoders, load_model
from evaluate.export_saved_model import ExportConfig
from evaluate.pages.report_config import ReportConfig
from evaluate.pages.report_page import gather, render
from tests.evaluate.entry_point_runs import exported
from tests.evaluate.toy_import import write_toy_import
from tests.evaluate.toy_runs import (
    balanced_clips,
    toy_clip,
    write_toy_run,
    write_toy_shards,
)


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("imported")
    clips = {"train": balanced_clips(9), "eval": balanced_clips(6)}
    write_toy_shards(folder / "shards", clips)
    write_toy_import(folder / "run")
    return folder


def test_embeddings_are_those_of_the_model(toy):
    [encoder] = load_encoders([str(toy / "run")])
    store = embeddings(encoder, DatasetInfo.load(toy / "shards"), ["eval"])
    # 1 s: windows of 0.5 s that overlap by half.
    assert store.windows.shape == (6 * 3, 128)
    model = load_model(toy / "run")
    # Clips are stored with 16 bits.
    audio = np.round(toy_clip(10, 1.0, (1,)) * 32768) / 32768
    error = np.abs(store.clips - model(audio[None])).max(axis=1)
    assert error[1] < 1e-6 < 5e-6 < np.delete(error, 1).min()


def test_long_windows_are_encoded_few_at_a_time(toy, tmp_path):
    write_toy_import(tmp_path / "long", window_seconds=10.0)
    long, short = load_encoders([str(tmp_path / "long"), str(toy / "run")])
    assert (long.batch_windows, short.batch_windows) == (6, 120)
    random = np.random.default_rng(0)
    windows = random.normal(0, 0.1, (7, 160000)).astype("f4")
    vectors = long.encode(windows)
    np.testing.assert_allclose(vectors[6:], long.encode(windows[6:]), atol=1e-5)


def test_export_serves_embedding_and_scores(toy):
    folder = exported(ExportConfig(str(toy / "run"), str(toy / "served")))
    # There, it agrees with Keras.
    served = tf.saved_model.load(str(folder)).signatures
    waveform = toy_clip(0, 1.3, (0, 2))[None]
    embedding = served["serving_default"](waveform=waveform)["embedding"]
    scores = served["scores"](waveform=waveform)["scores"]
    assert (embedding.shape, scores.shape) == ((1, 128), (1, 5))


def test_report_shows_it_beside_a_pretrained_one(toy):
    write_toy_run(toy / "pretrained", toy / "shards")
    config = ReportConfig(
        encoder=(str(toy / "run"), str(toy / "pretrained")),
        shards=str(toy / "shards"),
        output="page.html",
    )
    contents = gather(config)
    assert [run["stage"] for run in contents["pretraining"]] == [
        "import_panns",
        "pretrain_contrastive",
    ]
    assert [view["name"] for view in contents["views"]] == ["run", "pretrained"]
    page = render(contents)
    assert "small.pth" in page and "window_seconds" in page
