"""Run directories, as the report shows them."""

import csv
import dataclasses
import json
import math
import pathlib

from data.run import run_directory
from data.run.errors import UserError
from data.run.run_directory import HISTORY_FILE, METRICS_FILE
from evaluate.embeddings.encoder_runs import unique_names

STEP = "step"


@dataclasses.dataclass(frozen=True)
class Run:
    """One run directory of a training stage.

    Attributes:
      name: short and unique among the runs shown together.
      path: the folder, as the user named it.
      stage: what was run.
      config: the value of every flag.
      command: the command line.
      versions: of Python and the packages.
      history: column name to values, `step` among them; empty without a
        history.csv. A missing value is NaN.
    """

    name: str
    path: str
    stage: str
    config: dict
    command: list[str]
    versions: dict[str, str]
    history: dict[str, list[float]]


def read_runs(paths: tuple[str, ...], *stages: str) -> list[Run]:
    """Reads run directories.

    Raises:
      UserError: a path is not a run of one of `stages`, or its history is
        unreadable.
    """
    runs = []
    for path, name in zip(paths, unique_names(paths), strict=True):
        record = run_directory.read(path, *stages)
        runs.append(
            Run(
                name=name,
                path=path,
                stage=record["stage"],
                config=record["config"],
                command=record.get("command", []),
                versions=record.get("versions", {}),
                history=read_history(pathlib.Path(path) / HISTORY_FILE),
            )
        )
    return runs


def read_history(file: pathlib.Path) -> dict[str, list[float]]:
    """Columns of a history.csv; {} when the file is missing or empty.

    Raises:
      UserError: it has no `step` column, or a cell is not a number.
    """
    if not file.exists():
        return {}
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    if not rows:
        return {}
    if STEP not in rows[0]:
        raise UserError(f"{file} has no column {STEP!r}: is it a history?")
    try:
        return {
            name: [float(row[name] or math.nan) for row in rows]
            for name in rows[0]
            if name is not None
        }
    except ValueError as error:
        raise UserError(f"{file} is not a table of numbers: {error}") from error


def read_metrics(path: str, stage: str) -> dict:
    """The metrics.json of a folder that `stage` wrote.

    Raises:
      UserError: the folder or file is missing, broken, or of another stage.
    """
    folder = pathlib.Path(path)
    if not folder.is_dir():
        raise UserError(f"{folder} does not exist: is the path right?")
    file = folder / METRICS_FILE
    if not file.exists():
        raise UserError(
            f"{folder} has no {METRICS_FILE}: name a finished output of {stage}"
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
