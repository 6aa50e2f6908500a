"""Files and folders that appear whole or not at all."""

import contextlib
import filecmp
import json
import os
import pathlib
import re
import shutil
import uuid
from collections.abc import Iterator

_LEFTOVER = re.compile("[.](?P<kind>writing|old)-[0-9a-f]+-(?P<name>.+)", re.S)


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a path beside `path`; renames it to `path` on success.

    What the block writes there (a file or a folder) replaces `path` in one
    step; when the block raises, it is removed and `path` stays as it was. So
    it does, with its time, where it has these very bytes.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Hidden, and with the suffix kept: writers choose a format by suffix.
    beside = path.with_name(f".writing-{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        yield beside
        if path.is_dir():
            # A folder cannot be replaced in one step: move the old one away.
            old = path.with_name(f".old-{uuid.uuid4().hex[:8]}-{path.name}")
            os.rename(path, old)
            os.rename(beside, path)
            shutil.rmtree(old)
        elif not (path.exists() and filecmp.cmp(path, beside, shallow=False)):
            os.replace(beside, path)
    finally:
        _remove(beside)


def remove_leftovers(output: pathlib.Path) -> None:
    """Removes what killed processes left half written, or half replaced.

    Args:
      output: a folder, whose content it is, or else a file, which it is of;
        locked, so that no other process writes it.
    """
    is_folder = output.is_dir()
    for path in (output if is_folder else output.parent).glob(".*-*"):
        found = _LEFTOVER.fullmatch(path.name)
        if not found or not (is_folder or found["name"] == output.name):
            continue
        whole = path.with_name(found["name"])
        if found["kind"] == "old" and not whole.exists():
            os.rename(path, whole)
        _remove(path)


def _remove(path: pathlib.Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_text(path: str | os.PathLike, text: str) -> None:
    with atomic_path(path) as beside:
        # Undecodable bytes of file names travel as surrogates; keep them out.
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: str | os.PathLike, value: object) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
