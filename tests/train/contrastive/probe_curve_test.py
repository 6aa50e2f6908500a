"""Snapshots of an encoder, and probes of them by another process."""

import logging
import pathlib
import time

import keras
import numpy as np
import pytest

from data.run import encoder_files, run_directory
from data.run.errors import UserError
from models.embedding_model import EmbeddingModel
from tests.evaluate.toy_runs import balanced_clips, write_toy_shards
from tests.train.loop.event_files import events_of, read_events
from train.contrastive import probe_curve
from train.contrastive.contrastive_config import ContrastiveConfig
from train.contrastive.probe_curve import ProbeCurve
from train.contrastive.snapshots import Snapshots

# Stands for the probe: mAP is the snapshot's step in thousandths, step 20
# fails, and none ends before there is a file named "gate".
_PROBE = """
import json, os, pathlib, sys, time
here = pathlib.Path(__file__).parent
flags = dict(flag.lstrip("-").split("=", 1) for flag in sys.argv[1:])
step = json.loads(open(flags["encoder"] + "/config.json").read())["step"]
with open(here / "calls", "a") as calls:
    calls.write(f"{step}\\n")
while not (here / "gate").exists():
    time.sleep(0.02)
assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
assert flags["train_splits"] == "train" and flags["eval_splits"] == "eval"
assert flags["baselines"] == "" and flags["shards"] == "elsewhere"
assert flags["classifier"] == "linear"
if step == 20:
    sys.exit("warning: x\\n\\nerror: --shards=elsewhere is no good\\n")
os.mkdir(flags["output"])
with open(flags["output"] + "/metrics.json", "w") as metrics:
    result = {"mAP": step / 1000, "AUC": 0.5, "d_prime": None}
    json.dump({"results": [result]}, metrics)
"""


@pytest.fixture
def probe(tmp_path, monkeypatch, shallow):
    """Folder of the stand-in; without a file "gate"."""
    folder = tmp_path / "probe"
    folder.mkdir()
    (folder / "probe.py").write_text(_PROBE)
    monkeypatch.setattr(probe_curve, "_PROBE", folder / "probe.py")
    monkeypatch.setattr(probe_curve, "_check_shards", lambda config: None)
    return folder


def _config(**flags):
    return ContrastiveConfig(
        **{
            "steps": 100,
            "warmup_steps": 0,
            "probe_every": 10,
            "probe_shards": "elsewhere",
        }
        | flags
    )


def _start(run: pathlib.Path, config: ContrastiveConfig):
    run_directory.start(str(run), encoder_files.STAGE, config)
    keras.utils.set_random_seed(3)
    model = EmbeddingModel(embedding_dim=5, width=1 / 32)
    return model, Snapshots(run, model, config.snapshots())


def _train(run, config, start, stop, killed=False):
    """Takes steps; the encoder's bias says which it is of."""
    model, snapshots = _start(run, config)
    try:
        with ProbeCurve(config, run, snapshots, start) as probes:
            for step in range(start + 1 if start else 0, stop + 1):
                bias = model.encoder.bottleneck.bias
                bias.assign(np.full(bias.shape, step))
                snapshots(step)
                probes(step)
            if killed:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert killed


def _names(run):
    return sorted(path.name for path in (run / "snapshots").iterdir())


def _mean_bias(snapshot):
    model = keras.saving.load_model(encoder_files.model_file(snapshot))
    return float(np.mean(model.encoder.bottleneck.bias))


def test_a_failed_probe_costs_its_row_only(tmp_path, probe, caplog):
    (probe / "gate").touch()
    run = tmp_path / "run"
    with caplog.at_level(logging.WARNING):
        _train(run, _config(), 0, 35)
    assert (run / "probe.csv").read_text().splitlines() == [
        "step,mAP,AUC,d_prime",
        "0,0.0,0.5,",
        "10,0.01,0.5,",
        "30,0.03,0.5,",
    ]
    [warning] = [r.getMessage() for r in caplog.records]
    assert warning == (
        "the probe of step 20 failed (exit code 1): error: "
        "--shards=elsewhere is no good"
    )
    assert _names(run) == []


def test_named_snapshots_stay_and_are_encoders(tmp_path, probe):
    (probe / "gate").touch()
    run = tmp_path / "run"
    _train(run, _config(keep_steps=("N=0", "7", "mid=10")), 0, 21)
    assert _names(run) == ["N", "mid", "step-7"]
    for name, step in (("N", 0), ("mid", 10), ("step-7", 7)):
        record = run_directory.read(run / "snapshots" / name)
        assert record["step"] == step
        assert record["config"]["probe_shards"] == "elsewhere"
        assert _mean_bias(run / "snapshots" / name) == step


def test_a_resumed_run_repeats_no_probe(tmp_path, probe):
    (probe / "gate").touch()
    run = tmp_path / "run"
    _train(run, _config(), 0, 14)
    _train(run, _config(), 5, 31)
    assert (probe / "calls").read_text().split() == ["0", "10", "20", "30"]
    rows = (run / "probe.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["0", "10", "30"]


def test_interrupted_probes_are_made_when_the_run_goes_on(tmp_path, probe):
    run = tmp_path / "run"
    _train(run, _config(), 0, 11, killed=True)
    assert _names(run) == ["step-0", "step-10"]
    assert not (run / "probe.csv").exists()
    (probe / "gate").touch()
    _train(run, _config(), 11, 12)
    rows = (run / "probe.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["0", "10"]
    assert _names(run) == []


def test_training_goes_on_beside_a_probe_until_two_wait(tmp_path, probe):
    run, config = tmp_path / "run", _config()
    model, snapshots = _start(run, config)
    with ProbeCurve(config, run, snapshots, 0) as probes:
        for step in range(20):  # Does not end if it waited for step 0.
            probes(step)
        assert _names(run) == ["step-0", "step-10"]
        while not (probe / "calls").exists():
            time.sleep(0.02)
        assert (probe / "calls").read_text().split() == ["0"]
        (probe / "gate").touch()
        probes(20)  # One runs and two would wait.
        assert "step-0" not in _names(run)


def test_figures_go_to_the_default_writer(tmp_path, probe):
    (probe / "gate").touch()
    run, config = tmp_path / "run", _config()
    _, snapshots = _start(run, config)
    with ProbeCurve(config, run, snapshots, 0) as probes:
        events_of(run / "tensorboard", probes, (10, 30))
    found = read_events(run / "tensorboard")
    assert found == pytest.approx(
        {
            ("probe/mAP", 10): 0.01,
            ("probe/AUC", 10): 0.5,
            ("probe/mAP", 30): 0.03,
            ("probe/AUC", 30): 0.5,
        }
    )


@pytest.mark.parametrize(
    "class_names, flags, message",
    [
        ("abc", {"probe_eval_splits": ("test",)}, "no split 'test': it has ev"),
        ("abc", {"probe_shards": "missing"}, "missing does not exist"),
        ("", {}, "has no labels: name others with"),
    ],
)
def test_shards_that_are_no_good_are_refused_at_the_start(
    tmp_path, class_names, flags, message
):
    shards = tmp_path / "shards"
    clips = {"train": balanced_clips(3), "eval": balanced_clips(3)}
    write_toy_shards(shards, clips, class_names=tuple(class_names))
    config = _config(**{"shards": str(shards), "probe_shards": ""} | flags)
    with pytest.raises(UserError, match=message):
        ProbeCurve(config, tmp_path, None, 0)


def test_the_probe_of_evaluate_takes_a_snapshot(tmp_path):
    shards, run = tmp_path / "shards", tmp_path / "run"
    clips = {"train": balanced_clips(6), "eval": balanced_clips(5)}
    write_toy_shards(shards, clips)
    config = _config(shards=str(shards), probe_shards="")
    model, snapshots = _start(run, config)
    with ProbeCurve(config, run, snapshots, 0) as probes:
        probes(10)
    header, row = (run / "probe.csv").read_text().splitlines()
    assert header == "step,mAP,AUC,d_prime"
    step, mean_average_precision, *_ = row.split(",")
    assert step == "10" and 0 < float(mean_average_precision) <= 1
