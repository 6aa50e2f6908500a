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

# Raised when a model answers otherwise: older exports are then made anew.
VERSION = 2

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
    found = {_VERSION_KEY: VERSION}
    for part, file in files.items():
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        found[f"{part}_sha256"] = digest
    return found


def is_exported(digests: dict[str, str | int], folder: pathlib.Path) -> bool:
    """Whether a folder is a SavedModel of files with these digests.

    Raises:
      UserError: it is something else.
    """
    if not folder.exists():
        return False
    try:
        value = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        found = {
            key: of_export
            for key, of_export in value.items()
            if key == _VERSION_KEY or key.endswith("_sha256")
        }
    except (OSError, ValueError, AttributeError):
        found = None
    if found != digests:
        raise UserError(
            f"{folder} holds another model, or one that an older version "
            "exported: raise --version, or delete that folder"
        )
    return True
