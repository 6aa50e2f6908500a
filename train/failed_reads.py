"""Records that a training run could not read, found out while it runs."""

import pathlib

import numpy as np
import tensorflow as tf

from data.bad_records import BadRecords
from data.record_index import RecordIndex
from data.record_reader import (
    ATTEMPTS,
    FAILED,
    POSITION,
    numbers_tried,
    unreadable_position,
)
from data.user_error import UserError
from train.training_options import TrainingOptions


class FailedReads:
    """Turns what came with the batches into bad_records.csv.

    Args:
      index: of the records that are read.
      options: seed of their order, and how many may be bad.
      folder: the run directory.

    Raises:
      UserError: too many are known to be bad from the start.
    """

    def __init__(
        self,
        index: RecordIndex,
        options: TrainingOptions,
        folder: pathlib.Path,
    ):
        self._index, self._seed = index, options.seed
        self._records = BadRecords.of_run(
            index, folder, options.max_bad_fraction
        )
        self._waiting: list[dict[str, tf.Tensor]] = []

    def add(self, health: dict[str, tf.Tensor]) -> None:
        """Takes POSITION and FAILED of a batch, of any shape."""
        # Looked at in `flush`: reading a value would wait for the step.
        self._waiting.append(health)

    def flush(self) -> None:
        """Lists the records that failed since the last call.

        Raises:
          UserError: too many records are bad.
        """
        if not self._waiting:
            return
        positions, failed = (
            np.concatenate([np.ravel(health[key]) for health in self._waiting])
            for key in (POSITION, FAILED)
        )
        self._waiting = []
        self._list(positions[failed > 0], failed[failed > 0])

    def explain(self, error: tf.errors.OpError) -> None:
        """Raises a `UserError` in place of an error about reading."""
        position = unreadable_position(error)
        if position is None:
            return
        self.flush()
        self._list([position], [ATTEMPTS])
        raise UserError(
            f"{self._index.info.folder}: none of the {ATTEMPTS} records tried "
            f"for one example can be read, see {self._records.file}; write "
            "those shards again"
        ) from error

    def _list(self, positions, failed) -> None:
        numbers = numbers_tried(self._index, self._seed, positions, failed)
        self._records.add_failed(self._index, numbers)
