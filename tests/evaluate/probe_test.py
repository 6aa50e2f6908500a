import json
import pathlib

import numpy as np
import pytest

from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo
from evaluate import probe
from evaluate.measures.comparison_config import ProbeConfig
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
    write_toy_run(folder / "a" / "mix", folder / "shards", seed=0)
    write_toy_run(folder / "b" / "mix", folder / "shards", seed=1)
    return folder


def config(toy, output, **kwargs):
    settings = {
        "encoder": (str(toy / "a" / "mix"), str(toy / "b" / "mix")),
        "output": str(toy / output),
        "hidden_units": 32,
        "epochs": 30,
        "batch_size": 16,
        "learning_rate": 1e-2,
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
    assert [row["kind"] for row in rows] == KINDS
    assert [row["name"] for row in rows] == ["a/mix", "b/mix", *KINDS[2:]]
    assert rows[0]["encoder"] == str(toy / "a" / "mix")
    assert rows[2]["encoder"] is None
    for row in rows:
        classes = row["per_class"]
        assert list(classes) == ["hum", "hiss", "tick"]
        assert [c["clips"] for c in classes.values()] == [6, 5, 6]
        for key in ("AP", "AUC"):
            mean = np.mean([c[key] for c in classes.values()])
            overall = row["mAP" if key == "AP" else key]
            assert overall == pytest.approx(mean)
    # Hum, hiss and ticks differ in every band.
    assert rows[3]["mAP"] > 0.85
    record = json.loads((toy / "out" / "config.json").read_text())
    assert record["stage"] == "probe" and record["config"]["epochs"] == 30
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[2:] == ["mAP", "AUC", "d_prime"]
    assert len(lines) == 2 + 4 + 1
    assert lines[2].split()[:3] == ["a/mix", "encoder", f"{rows[0]['mAP']:.3f}"]
    assert lines[-1] == f"metrics: {toy / 'out' / 'metrics.json'}"


def test_same_seed_same_metrics_from_kept_embeddings(toy):
    first = measured(config(toy, "first"))
    (toy / "first" / "metrics.json").unlink()
    assert measured(config(toy, "first")) == first


def test_baselines_may_be_empty(toy):
    runs = (str(toy / "a" / "mix"),)
    text = measured(config(toy, "alone", encoder=runs, baselines=()))
    rows = json.loads(text)["results"]
    assert [row["name"] for row in rows] == ["mix"]


def test_refuses_splits_without_labels_and_overlapping_ones(toy):
    with pytest.raises(UserError, match="no clip of split silent has a label"):
        measured(config(toy, "x", eval_splits=("silent",)))
    with pytest.raises(UserError, match="no split 'dev': it has eval, silent"):
        measured(config(toy, "x", eval_splits=("dev",)))
    with pytest.raises(ValueError, match="eval is in --train_splits and"):
        config(toy, "x", train_splits=("train", "eval"))
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
