"""What a run of separator training has, known without TensorFlow."""

import pathlib
from typing import TypedDict

from absl import logging

from data.run import json_file
from data.run.errors import UserError
from data.run.processor_files import processor_path
from data.run.run_directory import METRICS_FILE
from data.shards.dataset_info import DatasetInfo
from train.loop.last_step import last_step
from train.separation.separation_config import SeparationConfig


class _Result(TypedDict):
    processor: str


class _Metrics(TypedDict):
    shards_sha256: str
    results: list[_Result]


def measured_splits(config: SeparationConfig, info: DatasetInfo) -> list[str]:
    """Those whose clips show how well their stems are separated."""
    return [
        s for s in config.eval_splits if info.has_stems and info.splits.get(s)
    ]


def is_measured(
    config: SeparationConfig, info: DatasetInfo, folder: pathlib.Path
) -> bool:
    """Whether metrics.json has every processor, on the clips as they are."""
    splits, file = measured_splits(config, info), folder / METRICS_FILE
    if not splits or not file.exists():
        return False
    try:
        metrics = json_file.read(file, _Metrics, "it is measured again")
    except UserError as error:
        logging.warning("%s", error)
        return False
    names = {result["processor"] for result in metrics["results"]}
    is_of_clips = metrics["shards_sha256"] == info.sound_sha256(splits)
    return is_of_clips and names >= set(config.processors())


def is_finished(
    config: SeparationConfig, info: DatasetInfo, folder: pathlib.Path
) -> bool:
    """Whether it has all steps, processors, and measures that it can have."""
    names = config.processors()
    return (
        last_step(folder) >= config.steps
        and all(processor_path(folder, name).exists() for name in names)
        and (
            is_measured(config, info, folder)
            or not measured_splits(config, info)
        )
    )
