"""The files of the models that one SavedModel serves."""

import hashlib
import pathlib
import zipfile

from data import encoder_files, processor_files
from data.user_error import UserError

ENCODER = "encoder"
CLASSIFIER = "classifier"
SEPARATOR = "separator"


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


def digests(files: dict[str, pathlib.Path]) -> dict[str, str]:
    """SHA-256 of each file, under "<part>_sha256"."""
    found = {}
    for part, file in files.items():
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        found[f"{part}_sha256"] = digest
    return found
