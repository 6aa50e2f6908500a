"""A stage's output folder, which carries its full configuration."""

import dataclasses
import json
import os
import pathlib
import platform
import sys

from data.run import run_lock
from data.run.atomic_write import remove_leftovers, write_json
from data.run.errors import UserError
from data.run.flag_fields import runtime_only_fields

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
    wanted = json.loads(json.dumps(dataclasses.asdict(config)))
    if (folder / CONFIG_FILE).exists():
        record = read(folder)
        if record["stage"] != stage:
            raise UserError(
                f"{folder} holds a run of {record['stage']}, not {stage}: "
                "choose another --output"
            )
        may_change = runtime_only_fields(type(config))
        # Of options that came after the run was started.
        defaults = json.loads(json.dumps(_defaults(type(config))))
        for name, value in wanted.items():
            old = record["config"].get(name, defaults[name])
            if name not in may_change and old != value:
                raise UserError(
                    f"{folder} was started with --{name}={_shown(old)}, now "
                    f"it is {_shown(value)}: choose another --output, or "
                    "delete that folder"
                )
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
    write_json(
        folder / CONFIG_FILE,
        {
            "stage": stage,
            "config": wanted,
            "command": sys.argv,
            # Relative paths in the configuration start here.
            "working_directory": os.getcwd(),
            "versions": _versions(),
        },
    )
    return folder


def read(path: str | pathlib.Path, *stages: str) -> dict:
    """The record that `start` wrote: stage, config, command and more.

    Raises:
      UserError: `path` is missing, is no run directory, or is of another
        stage than `stages` (where any is named).
    """
    folder = pathlib.Path(path)
    wanted = " or ".join(stages)
    if not folder.is_dir():
        raise UserError(f"{folder} does not exist: is the path right?")
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


def _defaults(config_class: type) -> dict[str, object]:
    return {f.name: f.default for f in dataclasses.fields(config_class)}


def _versions() -> dict[str, str]:
    names = ("tensorflow", "keras", "numpy")
    found = {"python": platform.python_version()}
    for name in names:
        if name in sys.modules:
            found[name] = sys.modules[name].__version__
    return found


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value)
