"""The metrics.json of probe, retrieval and the training of separators."""

import pathlib
from typing import Annotated, NotRequired, TypedDict

from data.run import json_file, processor_files
from data.run.errors import UserError
from data.run.json_file import Count, PathName
from data.run.run_directory import METRICS_FILE

_Figure = NotRequired[float | None]


class OfClass(TypedDict):
    """Figures of a class, see `results.result`."""

    AP: _Figure
    clips: NotRequired[Count | None]


class Measured(TypedDict):
    """A row of probe or retrieval, see `results.result`."""

    name: str
    kind: str
    encoder: NotRequired[PathName | None]
    identity: NotRequired[str]
    heard: NotRequired[list[str]]
    mAP: float | None
    AUC: _Figure
    d_prime: _Figure
    accuracy: _Figure
    ranking_mAP: _Figure
    precision_at_k: _Figure
    intervals: NotRequired[dict[str, list[float | None]]]
    chance: NotRequired[dict[str, float | None]]
    classifier: NotRequired[str]
    label_fraction: NotRequired[float]
    per_class: dict[str, OfClass]


class Separated(TypedDict):
    """A row of train_separation."""

    processor: str
    step: Count
    si_sdr_improvement_mixit_db: _Figure
    si_sdr_improvement_oracle_db: _Figure


class _Measure(TypedDict):
    stage: str
    shards: NotRequired[PathName]
    shards_sha256: NotRequired[str]
    train_splits: NotRequired[list[str]]
    eval_splits: NotRequired[list[str]]
    seed: NotRequired[Count]


class Metrics(_Measure):
    """The metrics.json of probe and retrieval."""

    results: Annotated[list[Measured], bool, "a list with rows"]


class SeparationMetrics(_Measure):
    """That of train_separation."""

    results: Annotated[list[Separated], bool, "a list with rows"]


def read_metrics(path: str, stage: str) -> Metrics | SeparationMetrics:
    """The metrics.json of a folder that `stage` wrote.

    Raises:
      UserError: the folder or file is missing, broken, or of another stage.
    """
    file = pathlib.Path(path, METRICS_FILE)
    if not file.exists():
        raise UserError(
            f"{path} has no {METRICS_FILE}: name a finished output of {stage}"
        )
    is_separation = stage == processor_files.STAGE
    schema = SeparationMetrics if is_separation else Metrics
    metrics = json_file.read(file, schema, f"run {stage} again")
    if metrics["stage"] != stage:
        raise UserError(
            f"{file} is not of {stage}: it is of {metrics['stage']}"
        )
    return metrics
