"""A stage's output folder, which carries its full configuration."""

import dataclasses
import json
import os
import pathlib
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import NotRequired, TypedDict

from absl import logging

from data.run import json_file, run_lock
from data.run.atomic_write import remove_leftovers, write_json
from data.run.errors import UserError
from data.run.flag_fields import option
from data.run.json_file import PathName

CONFIG_FILE = "config.json"
# Of stages that train, and of those that measure.
HISTORY_FILE = "history.csv"
METRICS_FILE = "metrics.json"


class Config(TypedDict, total=False):
    """Values of a run's flags, which a run of another time may lack."""

    shards: PathName
    splits: list[str]
    initial_encoder: PathName
    encoder: PathName | list[PathName]


class Record(TypedDict):
    """What config.json holds, see `start`."""

    stage: str
    config: Config
    inputs: NotRequired[dict[str, str]]
    command: NotRequired[list[str]]
    working_directory: NotRequired[PathName]
    versions: NotRequired[dict[str, str]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Flags of every command that writes a run directory."""

    remake: bool = option(
        False,
        "where --output was made with other flags or from other inputs, make "
        "it again instead of refusing",
        runtime_only=True,
    )


def start(
    path: str,
    stage: str,
    config: RunOptions,
    inputs: Mapping[str, str] | None = None,
    is_chief: bool = True,
    keep_files: bool = False,
) -> pathlib.Path:
    """Creates or continues the run directory `path` of `stage`.

    It stays locked to other processes: see `run_lock.take`. With `remake`, a
    run of another configuration or other inputs is emptied first.

    Args:
      path: the folder; made when missing.
      stage: name of the stage, e.g. "pretrain_contrastive".
      config: the stage's frozen dataclass.
      inputs: digest of what each flag names that the results depend on.
      is_chief: whether this is the first, or only, process of the run; the
        others neither write nor lock.
      keep_files: whether the stage knows by itself which of its files are to
        be made again, so that none is removed here.

    Returns:
      The folder.

    Raises:
      UserError: the folder holds a run of another stage, or, without
        `remake`, of another configuration or other inputs; or another process
        is writing it.
    """
    if not path:
        raise UserError("--output is empty: name the folder to write to")
    folder = pathlib.Path(path)
    inputs, difference = dict(inputs or {}), None
    if (folder / CONFIG_FILE).exists():
        old = read(folder)
        if old["stage"] != stage:
            raise UserError(
                f"{folder} holds a run of {old['stage']}, not {stage}: "
                "choose another --output"
            )
        difference = next(_differences(old, config, inputs), None)
        if not difference:
            # What a run that goes on needs no more is not looked at.
            inputs = old.get("inputs", {}) | inputs
    if difference and not config.remake:
        raise UserError(
            f"{folder} {difference}: choose another --output, or make it again "
            "with --remake"
        )
    if not is_chief:
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(
            f"--output={path} is not a folder: choose another"
        ) from error
    except OSError as error:
        raise UserError(
            f"--output={path} cannot be made ({error.strerror}): choose another"
        ) from error
    run_lock.take(folder)
    if difference:
        logging.info("%s %s: it is made again", folder, difference)
        if not keep_files:
            _empty(folder)
    for place in (folder, *filter(pathlib.Path.is_dir, folder.iterdir())):
        remove_leftovers(place)
    packages = ("tensorflow", "keras", "numpy")
    versions = {name: metadata.version(name) for name in packages}
    write_json(
        folder / CONFIG_FILE,
        {
            "stage": stage,
            "config": dataclasses.asdict(config),
            "inputs": inputs,
            "command": sys.argv,
            # Relative paths in the configuration start here.
            "working_directory": os.getcwd(),
            "versions": {"python": platform.python_version(), **versions},
        },
    )
    return folder


def named_path(record: Record, flag: str) -> str:
    """What a flag of a run names, from here; "" where it names nothing."""
    path = record["config"].get(flag, "")
    started_in = record.get("working_directory", os.getcwd())
    if path and started_in != os.getcwd():
        return os.path.join(started_in, path)
    return path


def _differences(
    record: Record, config: object, inputs: Mapping[str, str]
) -> Iterator[str]:
    """What is not as in the record of a run that was started."""
    for field in dataclasses.fields(config):
        # An option that came after the run was started had its default.
        old = record["config"].get(field.name, field.default)
        # As JSON keeps them: a tuple is a list.
        old, new = json.loads(json.dumps([old, getattr(config, field.name)]))
        if old != new and not field.metadata["runtime_only"]:
            yield (
                f"was started with --{field.name}={_shown(old)}, now it is "
                f"{_shown(new)}"
            )
    for flag, digest in record.get("inputs", {}).items():
        if digest != inputs.get(flag, digest):
            named = _shown(getattr(config, flag, "")) or "its default"
            yield (
                f"was started when --{flag} held something else than {named} "
                "holds now"
            )


def _empty(folder: pathlib.Path) -> None:
    """Removes all but the lock, the configuration last."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in (run_lock.LOCK_FILE, CONFIG_FILE):
            path.unlink()
    (folder / CONFIG_FILE).unlink(missing_ok=True)


def read(path: str | pathlib.Path, *stages: str) -> Record:
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
    remedy = "put back the one of that run, or make the run again elsewhere"
    record = json_file.read(file, Record, remedy)
    if stages and record["stage"] not in stages:
        raise UserError(
            f"{folder} is a run of {record['stage']}: name one of {wanted}"
        )
    return record


def _shown(value: object) -> str:
    is_several = isinstance(value, list | tuple)
    return ",".join(map(str, value)) if is_several else str(value)
