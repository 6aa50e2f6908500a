"""What results are made from, known by its content."""

import hashlib
import json
import os
from collections.abc import Mapping


def file_sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Raises:
      OSError: the file cannot be read.
    """
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def files_sha256(files: Mapping[str, str | os.PathLike]) -> str:
    """Digest of files and their names, which are the keys.

    Raises:
      OSError: one cannot be read.
    """
    return value_sha256({name: file_sha256(f) for name, f in files.items()})


def value_sha256(value: object) -> str:
    """That of a value that JSON can hold, as JSON; keys in any order."""
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
