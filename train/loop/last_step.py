"""How far a run is, known without TensorFlow."""

import pathlib
import re

CHECKPOINTS = "checkpoints"


def last_step(run: pathlib.Path) -> int:
    """Step of the newest checkpoint in a run directory; 0 without one."""
    folder = run / CHECKPOINTS
    try:
        # What TensorFlow writes when a checkpoint is whole.
        state = (folder / "checkpoint").read_text()
    except FileNotFoundError:
        return 0
    [name] = re.findall(r'^model_checkpoint_path: "(.*)"', state, re.MULTILINE)
    is_there = (folder / f"{name}.index").exists()
    return int(name.rpartition("-")[2]) if is_there else 0
