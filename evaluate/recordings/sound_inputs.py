"""The sound files that --input names: a file, a folder, or a pattern."""

import glob
import os

from data.run.errors import UserError
from data.sources.recording_files import Recording, find_recordings


def find(text: str) -> tuple[str, list[Recording]]:
    """The folder, and the files in it that may be recordings.

    Args:
      text: a file; a folder, of which all files at any depth are meant; or a
        pattern with *, ? or [...], ** being any depth.

    Returns:
      The folder that paths are relative to, and the files, ascending.

    Raises:
      UserError: there is none, or a folder cannot be read.
    """
    if not text:
        raise UserError("--input is empty: name a sound file or a folder")
    if os.path.isdir(text):
        return text, find_recordings(text)
    files = [text] if os.path.exists(text) else []
    if not files and glob.has_magic(text):
        found = glob.glob(text, recursive=True)
        files = sorted(filter(os.path.isfile, found), key=os.fsencode)
        if not files:
            raise UserError(f"--input={text} matches no file")
    if not files:
        raise UserError(f"--input={text} does not exist: is the path right?")
    folder = os.path.commonpath(map(os.path.dirname, files)) or "."
    # Named one by one: what is no sound is told of, not passed over.
    return folder, [
        Recording(os.path.relpath(file, folder), is_named=True)
        for file in files
    ]
