"""The files that a SavedModel serves, and whether it is of them already."""

import pathlib
import zipfile

from data.run import (
    content,
    encoder_files,
    json_file,
    processor_files,
    run_lock,
)
from data.run.atomic_write import remove_leftovers
from data.run.errors import UserError

ENCODER = "encoder"
CLASSIFIER = "classifier"
SEPARATOR = "separator"

# Raised when a model answers otherwise: older exports are then made anew.
VERSION = 3

_VERSION_KEY = "export_version"
DESCRIPTION = pathlib.Path("assets.extra", "model.json")


def find(
    encoder: str, separator: str, processor: str
) -> dict[str, pathlib.Path]:
    """The saved models of the named runs, by part.

    Args:
      encoder: run directory of an encoder; empty for none. Its classifier,
        if it has one, is found too.
      separator: run directory with processors; empty for none.
      processor: which of them; empty for the only one.

    Raises:
      UserError: a run is of another kind, or a file is missing or damaged.
    """
    files = {}
    if encoder:
        files[ENCODER] = encoder_files.model_file(encoder)
        classifier = pathlib.Path(encoder) / encoder_files.CLASSIFIER_FILE
        if classifier.exists():
            files[CLASSIFIER] = classifier
    if separator:
        _, files[SEPARATOR] = processor_files.find_one(separator, processor)
    for file in files.values():
        if not zipfile.is_zipfile(file):
            raise UserError(f"{file} is damaged: make it again")
    return files


def digests_of(files: dict[str, pathlib.Path]) -> dict[str, str | int]:
    """SHA-256 of each file, under "<part>_sha256", and `VERSION`."""
    return {_VERSION_KEY: VERSION} | {
        f"{part}_sha256": content.file_sha256(file)
        for part, file in files.items()
    }


def claim(output: pathlib.Path) -> None:
    """Locks a folder of SavedModels; sweeps what killed exports left there.

    Raises:
      UserError: another process writes it.
    """
    run_lock.take(output)
    remove_leftovers(output)


def next_version(
    digests: dict[str, str], output: pathlib.Path, may_replace: bool
) -> int:
    """Number of the version that files with these digests are to be.

    It is the newest where that is of these files, or may be replaced by them,
    and one more otherwise.

    Args:
      digests: from `digests_of`.
      output: folder of the versions.
      may_replace: whether the newest may be replaced.

    Raises:
      UserError: another process writes there.
    """
    if not output.is_dir():
        return 1
    claim(output)  # May bring back what a kill has half replaced.
    names = [path.name for path in output.iterdir()]
    newest = max((int(x) for x in names if x.isdecimal()), default=0)
    is_newest = newest and (
        may_replace or _digests_in(output / str(newest)) == digests
    )
    return newest if is_newest else newest + 1


def is_exported(
    digests: dict[str, str], folder: pathlib.Path, may_be_other: bool = False
) -> bool:
    """Whether a folder is a SavedModel of files with these digests.

    Args:
      digests: from `digests_of`.
      folder: the SavedModel.
      may_be_other: whether it may be one of other files.

    Raises:
      UserError: it is something else, or another process writes there.
    """
    if folder.parent.is_dir():
        claim(folder.parent)  # May bring back what a kill has half replaced.
    if not folder.exists():
        return False
    found = _digests_in(folder)
    if found != digests and not (found and may_be_other):
        raise UserError(
            f"{folder} holds another model, or one that an older version "
            "exported: raise --version, or replace it with --remake"
        )
    return found == digests


def _digests_in(folder: pathlib.Path) -> dict[str, object] | None:
    """Those that a SavedModel was made with; None: it is none of ours."""
    try:
        value = json_file.read(folder / DESCRIPTION, dict[str, object], "")
    except UserError:
        return None
    return {
        key: of_export
        for key, of_export in value.items()
        if key == _VERSION_KEY or key.endswith("_sha256")
    }
