"""How far a run is, known without TensorFlow."""

import pathlib
import re

from data.run.errors import UserError

CHECKPOINTS = "checkpoints"


def last_step(run: pathlib.Path) -> int:
    """Step of the newest checkpoint in a run directory; 0 without one.

    Raises:
      UserError: what tells it is damaged.
    """
    folder = run / CHECKPOINTS
    try:
        # What TensorFlow writes when a checkpoint is whole.
        state = (folder / "checkpoint").read_text("utf-8")
        [(name, step)] = re.findall(
            r'^model_checkpoint_path: "(.*-(\d+))"$', state, re.MULTILINE
        )
    except FileNotFoundError:
        return 0
    except (OSError, ValueError) as error:
        raise UserError(
            f"{folder / 'checkpoint'} is damaged, so that the last step is "
            f"not known: put it back, or delete {folder} to start again"
        ) from error
    return int(step) if (folder / f"{name}.index").exists() else 0
