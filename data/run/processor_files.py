"""Where a run keeps its separators, called audio processors."""

import pathlib

from data.run import run_directory
from data.run.errors import UserError

STAGE = "train_separation"
IMPORT_STAGE = "import_separator"
# Those whose runs hold processors.
STAGES = (STAGE, IMPORT_STAGE)
FOLDER = "processors"


def processor_path(run: pathlib.Path, name: str) -> pathlib.Path:
    return run / FOLDER / f"{name}.keras"


def kept_files(run: str | pathlib.Path) -> dict[str, pathlib.Path]:
    """Files of the processors of a run so far, by name."""
    files = sorted((pathlib.Path(run) / FOLDER).glob("[!.]*.keras"))
    return {file.stem: file for file in files}


def find(run: str, names: tuple[str, ...] = ()) -> dict[str, pathlib.Path]:
    """Files of the named processors of a run; of all, when none is named.

    Raises:
      UserError: `run` is no run with processors, has kept none yet, or lacks
        one that is named.
    """
    record = run_directory.read(run, *STAGES)
    folder = pathlib.Path(run) / FOLDER
    kept = kept_files(run)
    if not kept:
        is_import = record["stage"] == IMPORT_STAGE
        raise UserError(
            f"{folder} holds no checkpoint: run train/{record['stage']}.py "
            + ("again" if is_import else "until the first of its --keep_steps")
        )
    for name in names:
        if name not in kept:
            raise UserError(
                f"{folder} has no processor {name!r}: it has {', '.join(kept)}"
            )
    return {name: kept[name] for name in names or kept}


def find_one(run: str, name: str = "") -> tuple[str, pathlib.Path]:
    """Name and file of one processor of a run; its only one without a name.

    Raises:
      UserError: see `find`; or there are several and none is named.
    """
    files = find(run, (name,) if name else ())
    if len(files) > 1:
        raise UserError(
            f"{run} has the processors {', '.join(files)}: name one with "
            "--processor"
        )
    [found] = files.items()
    return found
