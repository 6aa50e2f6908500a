"""Reads checkpoints of google-research/sound-separation by variable name."""

import pathlib
import re

import numpy as np
import tensorflow as tf

from data.run import content
from data.run.errors import UserError
from models.separation.reference_weights import is_model_variable


def find_prefix(path: str) -> pathlib.Path:
    """What the files of a checkpoint begin with, e.g. FOLDER/model.ckpt-5.

    Args:
      path: the prefix; or one of its files; or a folder with one checkpoint,
        or with several of which its file `checkpoint` names one.

    Raises:
      UserError: there is no checkpoint, or there are several.
    """
    given = pathlib.Path(path)
    folder = given if given.is_dir() else given.parent
    names = sorted(file.stem for file in folder.glob("*.index"))
    if given.is_dir():
        # Its own paths may be those of the machine that trained: names alone.
        state = tf.train.get_checkpoint_state(path)
        named = pathlib.Path(state.model_checkpoint_path).name if state else ""
        wanted = [named] if named in names else names
    else:
        ending = r"\.(index|meta|data-\d+-of-\d+)$"
        wanted = [re.sub(ending, "", given.name)]
    if len(wanted) != 1 or wanted[0] not in names:
        raise UserError(
            f"--checkpoint={path}: {folder} has "
            f"{', '.join(names) or 'no checkpoint (no .index file)'}: name "
            "one with its folder, such as FOLDER/model.ckpt-5"
        )
    return folder / wanted[0]


def sha256(prefix: pathlib.Path) -> str:
    """Digest of the files of a checkpoint."""
    files = prefix.parent.glob(f"{prefix.name}.*")
    return content.files_sha256({file.suffix: file for file in files})


def read_network(prefix: pathlib.Path) -> dict[str, np.ndarray]:
    """Name -> value of the network's variables, without the optimizer's.

    Raises:
      UserError: a file of the checkpoint is missing, cut short or damaged.
    """
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        names = filter(is_model_variable, reader.get_variable_to_shape_map())
        return {name: reader.get_tensor(name) for name in sorted(names)}
    # A file that is cut short is an IndexError.
    except (tf.errors.OpError, IndexError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"the checkpoint {prefix} cannot be read ({reason}): is a file "
            "missing or cut short? Copy all its files again"
        ) from error
