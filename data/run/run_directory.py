"""A stage's output folder, which carries its full configuration."""

import dataclasses
import json
import os
import pathlib
import platform
import sys
from importlib import metadata

from data.run import run_lock
from data.run.atomic_write import remove_leftovers, write_json
from data.run.errors import UserError

CONFIG_FILE = "config.json"
# Of stages that train, and of those that measure.
HISTORY_FILE = "history.csv"
METRICS_FILE = "metrics.json"


def start(
    path: str, stage: str, config: object, is_chief: bool = True
) -> pathlib.Path:
    """Creates or continues the run directory `path` of `stage`.

    It stays locked to other processes: see `run_lock.take`.

    Args:
      path: the folder; made when missing.
      stage: name of the stage, e.g. "pretrain_contrastive".
      config: the stage's frozen dataclass.
      is_chief: whether this is the first, or only, process of the run; the
        others neither write nor lock.

    Returns:
      The folder.

    Raises:
      UserError: the folder holds a run of another stage or configuration,
        or another process is writing it.
    """
    if not path:
        raise UserError("--output is empty: name the folder to write to")
    folder = pathlib.Path(path)
    if (folder / CONFIG_FILE).exists():
        _check_same(folder, stage, config)
    if not is_chief:
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(
            f"--output={path} is not a folder: choose another"
        ) from error
    run_lock.take(folder)
    for place in (folder, *filter(pathlib.Path.is_dir, folder.iterdir())):
        remove_leftovers(place)
    packages = ("tensorflow", "keras", "numpy")
    versions = {name: metadata.version(name) for name in packages}
    write_json(
        folder / CONFIG_FILE,
        {
            "stage": stage,
            "config": dataclasses.asdict(config),
            "command": sys.argv,
            # Relative paths in the configuration start here.
            "working_directory": os.getcwd(),
            "versions": {"python": platform.python_version(), **versions},
        },
    )
    return folder


def _check_same(folder: pathlib.Path, stage: str, config: object) -> None:
    record = read(folder)
    if record["stage"] != stage:
        raise UserError(
            f"{folder} holds a run of {record['stage']}, not {stage}: "
            "choose another --output"
        )
    for field in dataclasses.fields(config):
        # An option that came after the run was started had its default.
        old = record["config"].get(field.name, field.default)
        # As JSON keeps them: a tuple is a list.
        old, new = json.loads(json.dumps([old, getattr(config, field.name)]))
        if old != new and not field.metadata["runtime_only"]:
            raise UserError(
                f"{folder} was started with --{field.name}={_shown(old)}, now "
                f"it is {_shown(new)}: choose another --output, or delete that "
                "folder"
            )


def read(path: str | pathlib.Path, *stages: str) -> dict:
    """The record that `start` wrote: stage, config, command and more.

    Raises:
      UserError: `path` is missing, is no run directory, or is of another
        stage than `stages` (where any is named).
    """
    folder = pathlib.Path(path)
    wanted = " or ".join(stages)
    if not folder.is_dir():
        what = "is a file, no folder" if folder.exists() else "does not exist"
        raise UserError(f"{folder} {what}: is the path right?")
    file = folder / CONFIG_FILE
    if not file.exists():
        raise UserError(
            f"{folder} is not a run directory (it has no {CONFIG_FILE})"
            + (f": name an output of {wanted}" if stages else "")
        )
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file} is not valid JSON ({error})") from error
    if stages and record["stage"] not in stages:
        raise UserError(
            f"{folder} is a run of {record['stage']}: name one of {wanted}"
        )
    return record


def _shown(value: object) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)
