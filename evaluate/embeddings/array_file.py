"""Arrays in .npz files, and what is told of those that cannot be read."""

import contextlib
import os
import pathlib
import zipfile
from collections.abc import Iterator, Mapping

import numpy as np

from data.run.errors import UserError

# What NumPy raises of files that are none of ours.
_DAMAGES = (OSError, EOFError, KeyError, TypeError, ValueError)


@contextlib.contextmanager
def arrays_of(
    path: str | os.PathLike, problem: str
) -> Iterator[Mapping[str, np.ndarray]]:
    """The arrays of a file; each is read where it is asked for.

    Args:
      problem: what to say, after the path, of a file that is missing, damaged
        or without what is asked for.

    Raises:
      UserError: it is.
    """
    try:
        with (
            pathlib.Path(path).open("rb") as file,
            np.load(file, allow_pickle=False) as arrays,
        ):
            yield arrays
    except (*_DAMAGES, zipfile.BadZipFile) as error:
        raise UserError(f"{path} {problem}") from error
