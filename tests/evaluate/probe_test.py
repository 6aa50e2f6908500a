import json
import pathlib
import shutil

import numpy as np
import pytest
from sklearn import metrics

from data.run.atomic_write import write_json
from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo
from evaluate import probe
from evaluate.measures import paired_runs
from evaluate.measures.comparison_config import ProbeConfig
from evaluate.measures.scored_clips import ScoredClips
from tests.evaluate.entry_point_runs import call_main
from tests.evaluate.toy_runs import (
    balanced_clips,
    write_toy_run,
    write_toy_shards,
)

KINDS = ["encoder", "encoder", "untrained", "log_mel_statistics"]


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("probe")
    write_toy_shards(
        folder / "shards",
        {
            "train": balanced_clips(30),
            "eval": [*balanced_clips(15), (2.0, (0, 2)), (0.5, ())],
            "silent": [(1.0, ())],
        },
    )
    write_toy_shards(
        folder / "folds_shards",
        {f"fold{k}": balanced_clips(9) for k in (1, 2, 3)},
    )
    write_toy_run(folder / "a" / "mix", folder / "shards", seed=0)
    write_toy_run(folder / "b" / "mix", folder / "shards", seed=1)
    return folder


def config(toy, output, **kwargs):
    settings = {
        "encoder": (str(toy / "a" / "mix"), str(toy / "b" / "mix")),
        "output": str(toy / output),
    }
    return ProbeConfig(**(settings | kwargs))


def measured(config):
    """What the probe writes, as text."""
    call_main(probe, config)
    return pathlib.Path(config.output, "metrics.json").read_text()


def test_metrics_of_encoders_and_baselines(toy, capsys):
    value = json.loads(measured(config(toy, "out", seed=5)))
    rows = value.pop("results")
    info = DatasetInfo.load(toy / "shards")
    assert value == {
        "stage": "probe",
        "shards": str(toy / "shards"),
        "shards_sha256": info.clips_sha256(["train", "eval"]),
        "train_splits": ["train"],
        "eval_splits": ["eval"],
        "seed": 5,
    }
    assert [row["kind"] for row in rows] == [k for k in KINDS for _ in "12"]
    names = ["a/mix", "b/mix", *KINDS[2:]]
    assert [row["name"] for row in rows] == [n for n in names for _ in "12"]
    assert [row["classifier"] for row in rows] == 4 * ["shallow", "linear"]
    assert rows[0]["encoder"] == str(toy / "a" / "mix")
    assert rows[4]["encoder"] is None
    for row in rows:
        # Two clips of eval have two labels, or none.
        assert row["task"] == "multi_label" and "accuracy" not in row
        assert row["trained_on_clips"] == [30]
        classes = row["per_class"]
        assert list(classes) == ["hum", "hiss", "tick"]
        assert [c["clips"] for c in classes.values()] == [6, 5, 6]
        for key in ("AP", "AUC"):
            mean = np.mean([c[key] for c in classes.values()])
            overall = row["mAP" if key == "AP" else key]
            assert overall == pytest.approx(mean)
        for key in ("mAP", "AUC", "d_prime"):
            low, high = row["intervals"][key]
            if row[key] is not None and high is not None:
                assert low <= row[key] <= high
        low, high = classes["hiss"]["AP_interval"]
        assert low <= classes["hiss"]["AP"] <= high
    # Hum, hiss and ticks differ in every band.
    assert rows[6]["mAP"] > 0.85
    record = json.loads((toy / "out" / "config.json").read_text())
    assert record["stage"] == "probe" and record["config"]["seed"] == 5
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[2:] == ["classifier", "mAP", "AUC", "d_prime"]
    assert len(lines) == 2 + 8 + 1
    wanted = ["a/mix", "encoder", "shallow", f"{rows[0]['mAP']:.3f}"]
    assert lines[2].split()[:4] == wanted
    assert lines[-1] == f"metrics: {toy / 'out' / 'metrics.json'}"


def test_scores_are_kept_and_give_the_figures(toy):
    text = measured(config(toy, "kept", classifier=("linear",), baselines=()))
    kept = ScoredClips.load(str(toy / "kept"), [0, 1])
    assert kept.clip_ids.tolist() == [f"eval/{n}" for n in range(30, 47)]
    for row, [scores] in zip(
        json.loads(text)["results"], kept.scores, strict=True
    ):
        for k, of_class in enumerate(row["per_class"].values()):
            arguments = kept.labels[:, k], scores[:, k]
            ap = metrics.average_precision_score(*arguments)
            auc = metrics.roc_auc_score(*arguments)
            assert of_class["AP"] == pytest.approx(ap, abs=1e-9)
            assert of_class["AUC"] == pytest.approx(auc, abs=1e-9)


def test_folds_seeds_fractions_and_single_labels(toy):
    """Each split by classifiers trained on the others."""
    text = measured(
        config(
            toy,
            "folds",
            encoder=(str(toy / "a" / "mix"),),
            shards=str(toy / "folds_shards"),
            baselines=("log_mel_statistics",),
            cross_validate=("fold1", "fold2", "fold3"),
            classifier=("linear",),
            label_fractions=("0.2", "1"),
            seeds=2,
        )
    )
    value = json.loads(text)
    assert value["train_splits"] == ["fold1", "fold2", "fold3"]
    rows = value["results"]
    assert [row["label_fraction"] for row in rows] == [0.2, 1, 0.2, 1]
    kept = ScoredClips.load(str(toy / "folds"), range(4))
    for row, scores in zip(rows, kept.scores, strict=True):
        is_part = row["label_fraction"] == 0.2
        # Of 18 clips; with all of them nothing is drawn for this classifier.
        assert row["trained_on_clips"] == 3 * [4 if is_part else 18]
        assert scores.shape == (2 if is_part else 1, 27, 3)
        assert ("over_seeds" in row) == is_part
        maps, right = [], []
        for seed_scores in scores:
            for part in kept.parts():
                labels, of_part = kept.labels[part], seed_scores[part]
                maps.append(metrics.average_precision_score(labels, of_part))
                right += (of_part.argmax(1) == labels.argmax(1)).tolist()
        assert row["mAP"] == pytest.approx(np.mean(maps), abs=1e-9)
        assert row["accuracy"] == pytest.approx(np.mean(right))
        assert row["task"] == "single_label"
    assert rows[3]["mAP"] > 0.9


def test_each_fold_by_an_encoder_of_its_own(toy, caplog):
    """As the run whose name it has scores that fold when it scores all."""
    for fold, source, others in (
        ("fold1", "a", ["fold2", "fold3"]),
        ("fold2", "b", ["fold1", "fold3"]),
        # This one has heard what it is measured on.
        ("fold3", "a", ["fold1", "fold3"]),
    ):
        own = shutil.copytree(
            toy / source / "mix", toy / "c" / f"without_{fold}"
        )
        record = json.loads((own / "config.json").read_text())
        shards = str(toy / "folds_shards")
        record["config"] |= {"shards": shards, "splits": others}
        write_json(own / "config.json", record)
    pattern = str(toy / "c" / "without_{fold}")
    runs = (pattern, str(toy / "a" / "mix"), str(toy / "b" / "mix"))
    settings = {
        "encoder": runs,
        "shards": shards,
        "cross_validate": ("fold1", "fold2", "fold3"),
        "classifier": ("linear",),
        "baselines": (),
    }
    caplog.clear()
    rows = json.loads(measured(config(toy, "own", **settings)))["results"]
    assert rows[0]["name"] == "c/without_{fold}"
    assert rows[0]["encoder"] == pattern
    kept = ScoredClips.load(str(toy / "own"), range(3))
    of_own, *of_source = kept.scores
    for part, source in zip(kept.parts(), (0, 1, 0), strict=True):
        np.testing.assert_array_equal(
            of_own[:, part], of_source[source][:, part]
        )
        assert np.any(of_own[:, part] != of_source[1 - source][:, part])
    assert rows[0]["heard"] == ["fold3"]
    assert "heard" not in rows[1]
    told = "c/without_{fold} was pretrained on the sound of fold3, which"
    assert told in caplog.text
    with pytest.raises(ValueError, match="{fold} goes with --cross_validate"):
        config(toy, "x", encoder=(pattern,))
    shutil.rmtree(toy / "c" / "without_fold2")
    with pytest.raises(UserError, match="without_fold2 does not exist"):
        measured(config(toy, "x", **settings))


def test_compares_rows_of_finished_runs(toy, capsys):
    folds = {
        "encoder": (str(toy / "a" / "mix"),),
        "shards": str(toy / "folds_shards"),
        "cross_validate": ("fold1", "fold2", "fold3"),
        "classifier": ("linear",),
    }
    measured(config(toy, "one", **folds))
    one, two = str(toy / "one"), str(toy / "two")
    shutil.copytree(one, two)
    [same] = paired_runs.compare_probes(one, two)
    assert same.verdict == "identical" and same.effect == 0
    [found] = paired_runs.compare_probes(one, f"{two}:log_mel_statistics")
    rows = json.loads((toy / "one" / "metrics.json").read_text())["results"]
    assert found.a == pytest.approx(rows[0]["mAP"])
    assert found.b == pytest.approx(rows[2]["mAP"])
    assert found.effect == pytest.approx(found.a - found.b)
    assert [name for name, *_ in found.classes] == ["hum", "hiss", "tick"]
    capsys.readouterr()
    call_main(probe, ProbeConfig(compare=(one, two)))
    assert "identical" in capsys.readouterr().out
    with pytest.raises(UserError, match="has no row 'x': it has mix, untr"):
        paired_runs.compare_probes(one, f"{two}:x")
    other = {"classifier": ("linear",), "baselines": ()}
    measured(config(toy, "other", encoder=folds["encoder"], **other))
    with pytest.raises(UserError, match="the runs differ in clip_ids"):
        paired_runs.compare_probes(one, str(toy / "other"))
    (toy / "two" / "scores.npz").write_bytes(b"PK")
    with pytest.raises(UserError, match="scores.npz is missing or damaged"):
        paired_runs.compare_probes(one, two)


def test_same_seed_same_metrics_from_kept_embeddings(toy):
    runs = (str(toy / "a" / "mix"),)
    again = config(toy, "first", encoder=runs, baselines=("untrained",))
    first = measured(again)
    (toy / "first" / "metrics.json").unlink()
    assert measured(again) == first


def test_baselines_may_be_empty(toy):
    runs = (str(toy / "a" / "mix"),)
    text = measured(config(toy, "alone", encoder=runs, baselines=()))
    rows = json.loads(text)["results"]
    assert [row["name"] for row in rows] == ["mix", "mix"]


def test_refuses_splits_without_labels_and_overlapping_ones(toy):
    one = {"encoder": (str(toy / "a" / "mix"),), "baselines": ()}
    with pytest.raises(UserError, match="no clip of split silent has a label"):
        measured(config(toy, "x", eval_splits=("silent",), **one))
    with pytest.raises(UserError, match="no split 'dev': it has eval, silent"):
        measured(config(toy, "x", eval_splits=("dev",), **one))
    with pytest.raises(ValueError, match="eval is in --train_splits and"):
        config(toy, "x", train_splits=("train", "eval"))
    with pytest.raises(UserError, match="2 of 47 clips have no label, or"):
        measured(config(toy, "x", task="single_label", **one))
    for wrong, told in {
        ("cross_validate", ("a",)): "two splits or more",
        ("classifier", ("deep",)): "shallow, linear or both",
        ("label_fractions", ("0",)): "above 0 and up to 1",
        ("label_fractions", ("x",)): "above 0 and up to 1",
        ("recording_pattern", "("): "no regular expression",
        ("recording_pattern", "x"): "has no group",
        ("compare", ("x",)): "two runs are wanted",
    }.items():
        with pytest.raises(ValueError, match=told):
            config(toy, "x", **dict([wrong]))
    for flag in ("output", "train_splits", "eval_splits"):
        with pytest.raises(ValueError, match=f"--{flag} is empty"):
            ProbeConfig(**({"output": "x"} | {flag: ""}))
    with pytest.raises(UserError, match="--encoder is empty"):
        measured(config(toy, "x", encoder=()))


def test_refuses_shards_of_another_rate(toy):
    clips = {"train": balanced_clips(2), "eval": balanced_clips(2)}
    write_toy_shards(toy / "low", clips, sample_rate_hz=8000)
    with pytest.raises(UserError, match="at 16000 Hz.*low has 8000 Hz"):
        measured(config(toy, "x", shards=str(toy / "low")))
    # The flags can be corrected under the same --output.
    assert not (toy / "x").exists()
