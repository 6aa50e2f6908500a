"""Run directories, as the report shows them."""

import os
import pathlib
import shlex
from collections.abc import Sequence

import pandas

from data.run import content, encoder_files, run_directory
from data.run.errors import UserError
from data.run.run_directory import HISTORY_FILE, Record
from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings.encoder_runs import unique_names
from evaluate.measures.metrics_file import Metrics


def read_runs(paths: tuple[str, ...], *stages: str) -> list[dict]:
    """Reads run directories.

    Returns:
      Of each what `run_directory.read` gives, with its `command` as a shell
      takes it, its `history`, and a `name` that is short and unique among them.

    Raises:
      UserError: a path is not a run of one of `stages`, or its history is
        unreadable.
    """
    return [
        {
            **(record := run_directory.read(path, *stages)),
            "command": _as_typed(record),
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


def command(path: str, stage: str) -> str:
    """The command that made a run; "" where it has no config.json.

    Raises:
      UserError: that file is damaged, or of another stage.
    """
    if not pathlib.Path(path, run_directory.CONFIG_FILE).exists():
        return ""
    return _as_typed(run_directory.read(path, stage))


def _as_typed(record: Record) -> str:
    words = record.get("command")
    return shlex.join(["python", *words]) if words else ""


def check_current(
    metrics: Metrics, path: str, encoders: Sequence[str], info: DatasetInfo
) -> None:
    """Checks that figures are of encoders and clips as they are now.

    What they tell of other runs and other shards is let stand.

    Args:
      metrics: from `metrics_file.read_metrics`.
      path: its folder.
      encoders: run directories that are shown with them.
      info: the shards that are shown.

    Raises:
      UserError: an encoder or the clips have changed since.
    """

    def refuse(what: str) -> None:
        raise UserError(
            f"{path} holds figures of {what} as it was before it was made "
            f"again: run evaluate/{metrics['stage']}.py again, with --remake"
        )

    measured = {
        os.path.realpath(row["encoder"]): row.get("identity")
        for row in metrics["results"]
        if row.get("encoder")
    }
    for run in encoders:
        now = content.file_sha256(encoder_files.model_file(run))
        if measured.get(os.path.realpath(run), now) != now:
            refuse(run)
    is_of_shown = os.path.realpath(
        metrics.get("shards", "")
    ) == os.path.realpath(info.folder)
    splits = dict.fromkeys(
        metrics.get("train_splits", []) + metrics.get("eval_splits", [])
    )
    if is_of_shown and set(splits) <= set(info.splits):
        if metrics.get("shards_sha256") != info.clips_sha256([*splits]):
            refuse(info.folder)
