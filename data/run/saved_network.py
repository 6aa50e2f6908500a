"""Loads a network that a run has saved."""

import json
import os
import zipfile
from typing import TypeVar

import keras

from data.run.errors import UserError

NetworkT = TypeVar("NetworkT", bound=keras.Model)


def load(file: str | os.PathLike, kind: type[NetworkT]) -> NetworkT:
    """The network of a .keras file, to be used and not to be trained on.

    Args:
      file: its path.
      kind: its class; `keras.Model`: any.

    Raises:
      UserError: the file is damaged, of another program, or holds another
        kind of network.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            found = json.loads(archive.read("config.json"))["class_name"]
        # Known beforehand: Keras may not know the class of another kind.
        if kind is keras.Model or found == kind.__name__:
            return keras.saving.load_model(file, compile=False)
    except MemoryError:
        raise
    # Of any type: Keras checks little of what it reads.
    except Exception as error:
        what, *_ = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(
            f"{file} cannot be loaded ({what[:200]}): make it again"
        ) from error
    raise UserError(
        f"{file} holds a network of the class {found}, not {kind.__name__}: "
        "name a run that has one, or make it again"
    )
