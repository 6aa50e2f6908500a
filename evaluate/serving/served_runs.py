"""The files that a SavedModel serves, and whether it is of them already."""

import hashlib
import json
import pathlib
import zipfile

from data.run import encoder_files, processor_files
from data.run.errors import UserError

ENCODER = "encoder"
CLASSIFIER = "classifier"
SEPARATOR = "separator"

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


def digests_of(files: dict[str, pathlib.Path]) -> dict[str, str]:
    """SHA-256 of each file, under "<part>_sha256"."""
    return {
        f"{part}_sha256": hashlib.sha256(file.read_bytes()).hexdigest()
        for part, file in files.items()
    }


def is_exported(digests: dict[str, str], folder: pathlib.Path) -> bool:
    """Whether a folder is a SavedModel of files with these digests.

    Raises:
      UserError: it is something else.
    """
    if not folder.exists():
        return False
    try:
        value = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        found = {k: v for k, v in value.items() if k.endswith("_sha256")}
    except (OSError, ValueError, AttributeError):
        found = None
    if found != digests:
        raise UserError(
            f"{folder} holds another model: raise --version, or delete that "
            "folder"
        )
    return True
