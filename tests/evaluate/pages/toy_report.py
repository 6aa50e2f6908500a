"""Run directories and separated shards for the tests of the report."""

import dataclasses
import json
import pathlib

import numpy as np
import pandas

from data.run.atomic_write import write_json
from data.shards.dataset_info import DatasetInfo
from tests.evaluate.toy_runs import toy_clip, toy_model
from tests.train.small_shards import write_shards

EVIL = "a \"quoted\" <script>alert(1)</script> & 'ñ' 鳥 {{ 7*7 }}"
CLASS_NAMES = (f"hum {EVIL}", "hiss", "tick")
PROCESSORS = ("S<1>", "N")
NUM_CLIPS = 11


def write_toy_report_inputs(folder: pathlib.Path) -> dict:
    """Everything that a report can show; returns flags for `ReportConfig`."""
    write_separated_shards(folder / "shards")
    encoders = [folder / "first", folder / "second"]
    for seed, run in enumerate(encoders):
        config = {
            "shards": str(folder / "shards"),
            "comparison": EVIL,
            "processors": list(PROCESSORS),
            "seed": seed,
        }
        _write_run(run, "pretrain_contrastive", config)
        toy_model(seed).save(run / "embedding_model.keras")
        _write_history(run, ("loss", "similarity <b>"), rows=7 + 400 * seed)
    separation = folder / "separation"
    _write_run(separation, "train_separation", {"keep_steps": ["N=0"]})
    _write_history(separation, ("loss",), rows=5)
    measured = {"processor": "S<1>", "step": 12345}
    measured["si_sdr_improvement_mixit_db"] = 3.217
    measured["si_sdr_improvement_oracle_db"] = -1.125
    write_json(
        separation / "metrics.json",
        {"stage": "train_separation", "results": [measured]},
    )
    for stage in ("probe", "retrieval"):
        (folder / stage).mkdir()
        write_json(folder / stage / "metrics.json", toy_metrics(stage))
    return {
        "encoder": tuple(map(str, encoders)),
        "separation": str(separation),
        "probe": (str(folder / "probe"),),
        "retrieval": (str(folder / "retrieval"),),
        "examples": 2,
        "queries": 3,
        "output": str(folder / "report.html"),
    }


def toy_metrics(stage: str) -> dict:
    """metrics.json of `stage`; every number in it is another one."""
    random = np.random.default_rng(len(stage))
    results = []
    for name, kind in (
        (EVIL, "encoder"),
        ("untrained", "untrained"),
        ("log-mel", "log_mel_statistics"),
    ):
        ap = {label: float(random.uniform()) for label in CLASS_NAMES}
        ap["tick"] = None
        row = {"name": name, "kind": kind, "mAP": float(random.uniform())}
        if stage == "probe":
            row |= {"AUC": float(random.uniform()), "d_prime": -0.5}
            row |= {"classifier": "linear", "label_fraction": 0.1}
            row["intervals"] = {"mAP": [0.125, 0.875], "d_prime": [1.0, None]}
        else:
            row["chance"] = {"mAP": 0.0625}
        row["per_class"] = {n: {"AP": v, "clips": 4} for n, v in ap.items()}
        results.append(row)
    return {"stage": stage, "shards": EVIL, "seed": 5, "results": results}


def write_separated_shards(folder: pathlib.Path) -> DatasetInfo:
    """`NUM_CLIPS` clips of 1 s with two channels a processor, and stems."""
    # The last clip is unlabeled, every fourth has two labels.
    labels = [
        (0, 2) if number % 4 == 0 else (number % 3,)
        for number in range(NUM_CLIPS - 1)
    ]
    labels.append(())
    clips = [toy_clip(k, 1.0, of_clip) for k, of_clip in enumerate(labels)]
    # The second channel of every processor is digital silence.
    channels = [(clip, 0 * clip) for clip in clips]
    info = write_shards(
        folder,
        clips,
        dict.fromkeys(PROCESSORS, channels),
        [(0.75 * clip, 0.25 * clip) for clip in clips],
        num_shards=1,
        split="eval",
        labels=labels,
        name=EVIL,
    )
    info = dataclasses.replace(
        info, class_names=CLASS_NAMES, summary={"rejects": {EVIL: 3}}
    )
    info.save()
    return info


def _write_run(folder: pathlib.Path, stage: str, config: dict) -> None:
    folder.mkdir()
    record = {
        "stage": stage,
        "config": config,
        "command": ["train.py", json.dumps(EVIL)],
        "versions": {"python": "3.11"},
    }
    write_json(folder / "config.json", record)


def _write_history(
    folder: pathlib.Path, columns: tuple[str, ...], rows: int
) -> None:
    steps = 10 * np.arange(1, rows + 1)
    values = dict.fromkeys(columns, 10 / steps)
    table = pandas.DataFrame({"step": steps, **values})
    table.to_csv(folder / "history.csv", index=False)
