"""Records that a training run could not read, found out while it runs."""

import contextlib
import pathlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from data.run.errors import UserError
from data.shards.bad_records import BadRecords
from data.shards.record_index import RecordIndex
from data.shards.record_reader import (
    ATTEMPTS,
    FAILED,
    POSITION,
    numbers_tried,
    unreadable_position,
)
from train.loop.step_observer import StepObserver
from train.loop.training_options import TrainingOptions


class FailedReads(StepObserver):
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

    def add(self, step, scalars, read_status):
        self._waiting.append(read_status)

    def flush(self, step, figures):
        self._list_waiting()

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Around what reads: where nothing can be read, a `UserError`."""
        try:
            yield
        except tf.errors.InvalidArgumentError as error:
            position = unreadable_position(error)
            if position is None:
                raise
            self._list_waiting()
            self._list([position], [ATTEMPTS])
            raise UserError(
                f"{self._index.info.folder}: none of the {ATTEMPTS} records "
                f"tried for one example can be read, see {self._records.file}; "
                "write those shards again"
            ) from error

    def _list_waiting(self) -> None:
        if not self._waiting:
            return
        positions, failed = (
            np.concatenate([np.ravel(status[key]) for status in self._waiting])
            for key in (POSITION, FAILED)
        )
        self._waiting = []
        self._list(positions[failed > 0], failed[failed > 0])

    def _list(self, positions, failed) -> None:
        numbers = numbers_tried(self._index, self._seed, positions, failed)
        self._records.add_failed(self._index, numbers)
