"""The encoder as it is at some steps, each a run directory of its own."""

import pathlib
import shutil

from data.run import run_directory
from data.run.atomic_write import atomic_path, write_json
from data.run.encoder_files import MODEL_FILE
from models.embedding_model import EmbeddingModel

FOLDER = "snapshots"


class Snapshots:
    """Writes `RUN/snapshots/<name>`, which stand wherever an encoder does.

    As a function of the step, to be called with each, it writes those that
    are `kept`, by name.
    """

    def __init__(
        self,
        run: pathlib.Path,
        embedding_model: EmbeddingModel,
        kept: dict[str, int],
    ):
        self._run, self._model = run, embedding_model
        self._names = {step: name for name, step in kept.items()}
        self._written = None

    def __call__(self, step: int) -> None:
        if step in self._names:
            self.write(step)

    def path(self, step: int) -> pathlib.Path:
        """Where the snapshot of a step is, or would be."""
        return self._run / FOLDER / self._names.get(step, f"step-{step}")

    def write(self, step: int) -> None:
        """Writes the encoder as it is now; in place of an older one."""
        if step == self._written:
            return
        record = run_directory.read(self._run)
        with atomic_path(self.path(step)) as beside:
            beside.mkdir()
            self._model.save(beside / MODEL_FILE)
            write_json(
                beside / run_directory.CONFIG_FILE, record | {"step": step}
            )
        self._written = step

    def discard(self, step: int) -> None:
        """Removes a snapshot, unless it is one that is kept."""
        if step not in self._names:
            shutil.rmtree(self.path(step), ignore_errors=True)
