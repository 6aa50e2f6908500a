"""What a run of separator training has, known without TensorFlow."""

import json
import pathlib

from data.run.processor_files import processor_path
from data.run.run_directory import METRICS_FILE
from data.shards.dataset_info import DatasetInfo
from train.loop.last_step import last_step
from train.separation.separation_config import SeparationConfig


def is_measured(config: SeparationConfig, folder: pathlib.Path) -> bool:
    """Whether metrics.json has every processor of the configuration."""
    file = folder / METRICS_FILE
    if not file.exists():
        return False
    results = json.loads(file.read_text())["results"]
    return {r["processor"] for r in results} >= set(config.processors())


def is_finished(
    config: SeparationConfig, info: DatasetInfo, folder: pathlib.Path
) -> bool:
    """Whether it has all steps, processors, and measures that it can have."""
    names = config.processors()
    return (
        last_step(folder) >= config.steps
        and all(processor_path(folder, name).exists() for name in names)
        and (is_measured(config, folder) or not info.has_stems)
    )
