import base64
import dataclasses
import io
import json
import pathlib
import shutil

import numpy as np
import pytest
import scipy.spatial
import soundfile

from data.run import content
from data.run.atomic_write import write_json
from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo
from evaluate import report
from evaluate.embeddings import embedding_job
from evaluate.embeddings.embedding_cache import embeddings
from evaluate.embeddings.encoders import load_encoders
from evaluate.pages import embedding_map, retrieval_examples
from evaluate.pages.report_config import ReportConfig
from evaluate.pages.report_page import gather, render
from evaluate.similarity.nearest_neighbors import cosine_similarity, unit_rows
from tests.evaluate.entry_point_runs import call_main
from tests.evaluate.pages.toy_report import (
    CLASS_NAMES,
    EVIL,
    NUM_CLIPS,
    PROCESSORS,
    toy_metrics,
    write_toy_report_inputs,
)
from tests.evaluate.toy_runs import damage, toy_clip
from tests.html_pages import Page, assert_refers_to_nothing_outside


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    return write_toy_report_inputs(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def shards(flags):
    return pathlib.Path(flags["output"]).parent / "shards"


@pytest.fixture(scope="module")
def contents(flags):
    return gather(ReportConfig(**flags))


@pytest.fixture(scope="module")
def text(contents):
    return render(contents)


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


@pytest.fixture(scope="module")
def payload(page):
    return json.loads(page.scripts[0])


def test_page_refers_to_nothing_outside_and_escapes_names(page, payload, text):
    assert_refers_to_nothing_outside(text)
    assert "<script>alert" not in text
    assert "<b>" not in text
    shown = "".join(page.texts)
    assert payload["clips"]["0"]["id"] == f"{EVIL}0"
    assert EVIL in shown and "49" not in shown.split(EVIL)[0][-20:]


def test_every_figure_is_there(page):
    examples, encoders, queries = 2, 2, 3
    sounds_of_example = 1 + 2 * len(PROCESSORS) + 2
    cards = encoders * queries * (1 + retrieval_examples.NEIGHBORS)
    sounds = examples * sounds_of_example + cards
    assert page.count("img", "src", "data:image/png") == sounds
    assert page.count("audio", "data-sound") == sounds + encoders
    assert page.count("button", "class", "play") == sounds
    # loss and similarity of the encoders, loss of the separator.
    assert page.count("figure", "class", "chart") == 3
    assert page.count("path", "style", "stroke: var(--c") == 2 + 2 + 1
    assert page.count("g", "class", "mark") == encoders * NUM_CLIPS
    # The last three are the slides'.
    assert page.count("table") == 2 * 2 + 1 + 1 + 3
    for tag, attributes in page.tags:
        if tag == "img":
            assert attributes["alt"]
        if tag == "button":
            assert attributes.get("aria-label") or "data-class" in attributes


def test_numbers_are_those_of_the_metrics(page):
    shown = page.values()
    for stage in ("probe", "retrieval"):
        for row in toy_metrics(stage)["results"]:
            for key in ("mAP", "AUC", "d_prime"):
                assert key not in row or row[key] in shown
            for values in row["per_class"].values():
                assert values["AP"] is None or values["AP"] in shown
    for value in (12345, 3.217, -1.125):
        assert value in shown
    words = " ".join(page.texts)
    first = toy_metrics("probe")["results"][0]
    assert f"{first['mAP']:.3f}" in words
    # Its interval; chance; a figure of the slides.
    assert "0.125 to 0.875" in words
    assert 0.0625 in shown and 0.310 in shown
    assert "−0.500" in words and "3.22" in words and "12,345" in words


def test_payload_holds_every_sound_once(payload):
    assert len(payload["clips"]) == NUM_CLIPS
    clips = [payload["clips"][str(number)] for number in range(NUM_CLIPS)]
    assert clips[0]["labels"] == [CLASS_NAMES[0], "tick"]
    assert clips[-1]["labels"] == []
    for number, clip in enumerate(clips):
        flac = base64.b64decode(payload["sounds"][clip["sound"]])
        audio, rate = soundfile.read(io.BytesIO(flac), dtype="float32")
        assert rate == 16000
        indices = [CLASS_NAMES.index(name) for name in clip["labels"]]
        wanted = toy_clip(number, 1.0, tuple(indices))
        np.testing.assert_allclose(audio, wanted, atol=1.01 / 65536)
    parts = 2 * (2 * len(PROCESSORS) + 2)
    assert len(payload["sounds"]) == NUM_CLIPS + parts


def test_neighbors_are_those_of_the_embedding(flags, shards, contents):
    info = DatasetInfo.load(shards)
    encoder = load_encoders(flags["encoder"][:1])[0]
    units = unit_rows(embeddings(encoder, info, ["eval"]).clips)
    labels = contents["clips"].labels
    for query, neighbors in contents["views"][0]["queries"]:
        cosine = np.delete(cosine_similarity(units, units)[query], query)
        found = [near.similarity for near in neighbors]
        np.testing.assert_allclose(found, np.sort(cosine)[::-1][:5], atol=1e-6)
        for near in neighbors:
            wanted = {*labels[query]} & {*labels[near.clip]}
            assert set(near.shared) == wanted


def test_page_is_a_function_of_the_seed(flags, contents, text):
    assert render(gather(ReportConfig(**flags))) == text
    changed = {"seed": 3, "encoder": flags["encoder"][:1]}
    other = gather(ReportConfig(**{**flags, **changed}))
    drawn, drawn_now = (
        [query for query, _ in found["views"][0]["queries"]]
        for found in (contents, other)
    )
    assert drawn != drawn_now
    assert all(len(example.labels) == 2 for example in other["examples"])


def test_missing_parts_are_left_out_with_a_note(shards, tmp_path):
    config = ReportConfig(
        shards=str(shards), output="x.html", examples=1, audio_megabytes=0
    )
    contents = gather(config)
    page = Page(render(contents))
    assert len(contents["notes"]) == 4
    assert page.count("audio") == 0 and page.count("figure") > 0
    assert page.count("section") == 2
    assert "audio left out" in " ".join(page.texts)

    record = {"stage": "import_separator", "config": {"checkpoint": "ckpt-777"}}
    record |= {"command": [], "versions": {}}
    write_json(tmp_path / "config.json", record)
    contents = gather(dataclasses.replace(config, separation=str(tmp_path)))
    assert not contents["separation"] and not contents["separating_charts"]
    assert "was imported, not trained" in " ".join(contents["notes"])
    assert "ckpt-777" in " ".join(Page(render(contents)).texts)


def test_damaged_clips_are_left_out_with_a_note(
    flags, shards, contents, tmp_path, monkeypatch
):
    monkeypatch.setattr(embedding_job, "MAX_BAD_FRACTION", 0.2)
    damaged = tmp_path / "damaged"
    shutil.copytree(shards, damaged)
    damage(DatasetInfo.load(damaged), "eval", record=4)
    changed = {"shards": str(damaged), "encoder": flags["encoder"][:1]}
    left = gather(ReportConfig(**{**flags, **changed}))
    ids = contents["clips"].ids
    assert left["clips"].ids == ids[:4] + ids[5:]
    assert f"1 records of {damaged} cannot be used" in left["notes"][-1]
    encoder = load_encoders(flags["encoder"][:1])[0]
    info = DatasetInfo.load(damaged)
    units = unit_rows(embeddings(encoder, info, ["eval"]).clips)
    for query, neighbors in left["views"][0]["queries"]:
        for near in neighbors:
            cosine = cosine_similarity(units[[query]], units[[near.clip]])
            assert near.similarity == pytest.approx(cosine.item(), abs=1e-5)
    page = Page(render(left))
    sounds = json.loads(page.scripts[0])["sounds"]
    assert "clip9" in sounds and "clip10" not in sounds


def test_figures_of_what_has_changed_since_are_refused(flags, shards, tmp_path):
    encoder, info = flags["encoder"][0], DatasetInfo.load(shards)
    digest = content.file_sha256(f"{encoder}/embedding_model.keras")
    metrics = toy_metrics("probe") | {
        "shards": str(shards),
        "shards_sha256": info.clips_sha256(["eval"]),
        "eval_splits": ["eval"],
    }
    metrics["results"][0] |= {"encoder": encoder, "identity": digest}
    changed = {**flags, "probe": (str(tmp_path),), "queries": 0, "examples": 0}
    changed["encoder"] = (encoder,)

    def gathered():
        write_json(tmp_path / "metrics.json", metrics)
        return gather(ReportConfig(**changed))

    gathered()
    metrics["results"][0]["identity"] = "another"
    with pytest.raises(
        UserError, match="first as it was before.*probe.py again"
    ):
        gathered()
    # A run that is not shown may have changed.
    metrics["results"][0]["encoder"] = "another"
    gathered()
    metrics["shards_sha256"] = "another"
    with pytest.raises(UserError, match="shards as it was before"):
        gathered()


def test_wrong_flags_and_paths_are_told(flags, tmp_path):
    with pytest.raises(ValueError, match="nothing to report on"):
        ReportConfig(output="x.html")
    with pytest.raises(ValueError, match="ending in .html"):
        ReportConfig(shards="x", output="x")

    def told(**changed):
        with pytest.raises(UserError) as error:
            gather(ReportConfig(**{**flags, **changed}))
        return str(error.value)

    assert "does not exist" in told(encoder=(str(tmp_path / "none"),))
    assert "train_separation" in told(separation=flags["encoder"][0])
    assert "no metrics.json" in told(probe=(str(tmp_path),))
    assert "is of retrieval" in told(probe=flags["retrieval"])
    assert "no split 'test'" in told(splits=("test",))
    assert "dataset.json" in told(shards=str(tmp_path))
    broken = tmp_path / "broken"
    shutil.copytree(flags["separation"], broken)
    (broken / "history.csv").write_text("step,loss\n1,x\n")
    assert "not a table of numbers" in told(separation=str(broken))
    (broken / "history.csv").write_text("loss\n1\n")
    assert "no column 'step'" in told(separation=str(broken))


def test_entry_point_writes_the_page_and_prints_the_results(
    flags, shards, tmp_path, capsys
):
    page = tmp_path / "a" / "b.html"
    changed = {"shards": str(shards), "probe": flags["probe"], "examples": 1}
    call_main(report, ReportConfig(output=str(page), **changed))
    out = capsys.readouterr().out
    assert f"probe, {flags['probe'][0]}:\n" in out and "log-mel" in out
    assert out.endswith(f"{page}\n")
    Page(page.read_text(encoding="utf-8"))


def test_map_shows_near_clips_near():
    random = np.random.default_rng(0)
    centers = np.eye(3)[np.arange(45) % 3]
    vectors = centers + random.normal(0, 0.01, (45, 3))
    points, method = embedding_map.project(vectors, seed=1)
    again, _ = embedding_map.project(vectors, seed=1)
    assert method == "t-SNE"
    np.testing.assert_array_equal(points, again)
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    same = np.arange(45) % 3 == (np.arange(45) % 3)[:, None]
    assert distance[same].max() < distance[~same].min()


@pytest.mark.parametrize("count, dim", [(1, 5), (3, 5), (31, 1)])
def test_map_of_few_clips_or_one_dimension_keeps_distances(count, dim):
    vectors = np.random.default_rng(0).normal(size=(count, dim))
    points, method = embedding_map.project(vectors, seed=0)
    assert method == "PCA" and points.shape == (count, 2)
    np.testing.assert_allclose(
        scipy.spatial.distance.pdist(points),
        scipy.spatial.distance.pdist(unit_rows(vectors)),
        atol=1e-12,
    )
    # Equal ones lie on each other in the middle of the map.
    method, marks, legend = embedding_map.embedding_map(
        np.ones((count, 5), "f4"), range(count), [("a",)] * count, seed=0
    )
    assert method == "PCA" and legend == [("a", 0, count)]
    assert {(mark.x, mark.y) for mark in marks} == {(380.0, 280.0)}


def test_queries_are_spread_over_classes():
    labels = [("a",)] * 20 + [("b",), ("c",), ()]
    for seed in range(5):
        chosen = retrieval_examples.choose_queries(labels, 4, seed)
        drawn = sorted(labels[i] for i in chosen)
        assert drawn == [("a",), ("a",), ("b",), ("c",)]
        assert len(set(chosen)) == 4


@pytest.mark.parametrize("block_rows", [1, 1024])
def test_shared_label_shares_by_hand(monkeypatch, block_rows):
    monkeypatch.setattr(retrieval_examples, "BLOCK_ROWS", block_rows)
    # Two tight pairs; one pair shares a label, the other does not. With one
    # neighbor less than clips, every other clip is a neighbor.
    vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]])
    labels = [("a",), ("a",), ("b",), ("c",)]
    found, chance = retrieval_examples.shared_label_shares(vectors, labels)
    assert found == chance == pytest.approx(2 / 12)
    first = retrieval_examples.nearest(vectors, labels, [0])[0][0]
    assert (first.clip, first.shared) == (1, ("a",))
