"""Where a run keeps its encoder, and the classifier of an imported one."""

import pathlib
import zipfile

from data.run import run_directory
from data.run.errors import UserError

STAGE = "pretrain_contrastive"
IMPORT_STAGE = "import_panns"
# Those whose runs hold an encoder.
STAGES = (STAGE, IMPORT_STAGE)
MODEL_FILE = "embedding_model.keras"
CLASSIFIER_FILE = "classifier.keras"


def model_file(run: str | pathlib.Path) -> pathlib.Path:
    """Path of the encoder of a run, which is there and whole.

    Raises:
      UserError: `run` is no run of `STAGES`, or its model is missing or
        damaged.
    """
    record = run_directory.read(run, *STAGES)
    file = pathlib.Path(run) / MODEL_FILE
    if not file.exists():
        raise UserError(
            f"{run} has no {MODEL_FILE}: its run has not finished; run "
            f"train/{record['stage']}.py with the same flags"
        )
    if not zipfile.is_zipfile(file):
        raise UserError(f"{file} is damaged: make that encoder again")
    return file
