"""Run directories, as the report shows them."""

import json
import pathlib

import pandas

from data.run import run_directory
from data.run.errors import UserError
from data.run.run_directory import HISTORY_FILE, METRICS_FILE
from evaluate.embeddings.encoder_runs import unique_names


def read_runs(paths: tuple[str, ...], *stages: str) -> list[dict]:
    """Reads run directories.

    Returns:
      Of each what `run_directory.read` gives, its `history`, and a `name` that
      is short and unique among them.

    Raises:
      UserError: a path is not a run of one of `stages`, or its history is
        unreadable.
    """
    return [
        {
            **run_directory.read(path, *stages),
            "history": read_history(pathlib.Path(path) / HISTORY_FILE),
            "name": name,
        }
        for path, name in zip(paths, unique_names(paths), strict=True)
    ]


def read_history(file: pathlib.Path) -> pandas.DataFrame:
    """A history.csv by `step`; empty when the file is missing or empty.

    Raises:
      UserError: it has no `step` column, or a cell is not a number.
    """
    if not file.exists() or not file.stat().st_size:
        return pandas.DataFrame()
    try:
        # pandas' own parser of numbers may miss their last bit.
        history = pandas.read_csv(file, dtype=str, index_col=False)
        history = history.astype(float)
    except ValueError as error:
        raise UserError(f"{file} is not a table of numbers: {error}") from error
    if "step" not in history:
        raise UserError(f"{file} has no column 'step': is it a history?")
    return history.set_index("step")


def read_metrics(path: str, stage: str) -> dict:
    """The metrics.json of a folder that `stage` wrote.

    Raises:
      UserError: the folder or file is missing, broken, or of another stage.
    """
    file = pathlib.Path(path, METRICS_FILE)
    if not file.exists():
        raise UserError(
            f"{path} has no {METRICS_FILE}: name a finished output of {stage}"
        )
    try:
        metrics = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file} is not valid JSON ({error})") from error
    if "results" not in metrics or metrics.get("stage", stage) != stage:
        raise UserError(
            f"{file} is not of {stage}: it is of {metrics.get('stage')}"
        )
    return metrics
