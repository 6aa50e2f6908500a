"""Where a separation run keeps its audio processors."""

import pathlib

from data import run_directory
from data.user_error import UserError

STAGE = "train_separation"
FOLDER = "processors"


def processor_path(run: pathlib.Path, name: str) -> pathlib.Path:
    return run / FOLDER / f"{name}.keras"


def find(run: str, names: tuple[str, ...] = ()) -> dict[str, pathlib.Path]:
    """Files of the named processors of a run; of all, when none is named.

    Raises:
      UserError: `run` is no separation run, has kept no checkpoint yet, or
        lacks one that is named.
    """
    run_directory.read(run, STAGE)
    folder = pathlib.Path(run) / FOLDER
    kept = {
        path.stem: path
        for path in sorted(folder.glob("*.keras"))
        if not path.name.startswith(".")
    }
    if not kept:
        raise UserError(
            f"{folder} holds no checkpoint: run train/train_separation.py "
            "until the first of its --keep_steps"
        )
    for name in names:
        if name not in kept:
            raise UserError(
                f"{folder} has no processor {name!r}: it has "
                + ", ".join(sorted(kept))
            )
    return {name: kept[name] for name in names or kept}
