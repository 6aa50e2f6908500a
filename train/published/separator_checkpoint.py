"""Reads checkpoints of google-research/sound-separation by variable name."""

import pathlib
import re

import numpy as np
import tensorflow as tf

from data.run.errors import UserError
from models.separation.reference_weights import is_model_variable

_FILE_OF_CHECKPOINT = re.compile(r"(.+)\.(index|meta|data-\d+-of-\d+)")


def find_prefix(path: str) -> pathlib.Path:
    """What the files of a checkpoint begin with, e.g. FOLDER/model.ckpt-5.

    Args:
      path: the prefix; or one of its files; or a folder with one checkpoint,
        or with several of which its file `checkpoint` names one.

    Raises:
      UserError: there is no checkpoint, or there are several.
    """
    given = pathlib.Path(path)
    if given.is_dir():
        return _only_in(given)
    match = _FILE_OF_CHECKPOINT.fullmatch(given.name)
    prefix = given.with_name(match[1]) if match else given
    if not _index_of(prefix).exists():
        others = _names_in(prefix.parent)
        raise UserError(
            f"--checkpoint={path}: {_index_of(prefix)} does not exist"
            + (f"; beside it are {', '.join(others)}" if others else "")
            + ": name a folder or a prefix such as FOLDER/model.ckpt-5"
        )
    return prefix


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


def _only_in(folder: pathlib.Path) -> pathlib.Path:
    names = _names_in(folder)
    # Its own paths may be those of the machine that trained: names alone.
    state = tf.train.get_checkpoint_state(str(folder))
    if state and pathlib.Path(state.model_checkpoint_path).name in names:
        return folder / pathlib.Path(state.model_checkpoint_path).name
    if not names:
        raise UserError(
            f"--checkpoint={folder} holds no checkpoint (no .index file): "
            "name the folder or prefix of one"
        )
    if len(names) > 1:
        raise UserError(
            f"--checkpoint={folder} holds several checkpoints: name one of "
            + ", ".join(str(folder / name) for name in names)
        )
    return folder / names[0]


def _names_in(folder: pathlib.Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.index"))


def _index_of(prefix: pathlib.Path) -> pathlib.Path:
    return prefix.with_name(prefix.name + ".index")
