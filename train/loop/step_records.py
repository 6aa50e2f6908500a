"""Records behind the steps of a run: those that failed, and whose steps did."""

import collections
import contextlib
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from data.run import csv_table
from data.run.errors import UserError
from data.shards.bad_records import BadRecords, clip_id
from data.shards.record_index import RecordIndex
from data.shards.record_reader import (
    ATTEMPTS,
    FAILED,
    POSITION,
    numbers_tried,
    unreadable_position,
)
from train.loop.training_log import Step, step_of
from train.loop.training_options import TrainingOptions

SKIPPED_FILE = "skipped_steps.csv"


class StepRecords:
    """Lists in the run directory what became of the records that are read.

    bad_records.csv has those that could not be read, skipped_steps.csv the
    clips of each step whose update was left out.

    Args:
      options: seed of their order, how many may be bad, and how many steps
        may be skipped.
      start: step of the checkpoint that the run goes on from.

    Raises:
      UserError: too many are known to be bad from the start.
    """

    def __init__(
        self,
        index: RecordIndex,
        options: TrainingOptions,
        folder: pathlib.Path,
        start: int,
    ):
        self._index, self._options = index, options
        self._bad = BadRecords.of_run(index, folder, options.max_bad_fraction)
        self._file = folder / SKIPPED_FILE
        rows = csv_table.rows_written(self._file)[1:]
        self._rows = [r for r in rows if step_of(r, self._file) <= start]
        self._recent = collections.deque(maxlen=100)

    def flush(self, steps: Sequence[Step]) -> None:
        """Lists those of the steps since the last call.

        Raises:
          UserError: too many records cannot be read, or too many steps were
            skipped; they are listed.
        """
        self._list_failed([step.read_status for step in steps])
        self._recent.extend(step.is_skipped for step in steps)
        skipped = [step for step in steps if step.is_skipped]
        if not skipped:
            return
        for step in skipped:
            clip_ids = " ".join(self._clip_ids(step.read_status))
            self._rows.append([str(step.number), clip_ids])
        rows = [["step", "clip_ids"], *self._rows]
        csv_table.write(self._file, rows, line_end="\r\n")
        logging.warning(
            "step %s: loss or gradient was not finite, the weights were left "
            "as they were; its clips are in %s",
            ", ".join(str(step.number) for step in skipped),
            self._file,
        )
        if sum(self._recent) > self._options.max_skipped_steps:
            raise UserError(
                f"{sum(self._recent)} of the last {len(self._recent)} steps "
                "gave a loss or gradient that is not finite, more than "
                f"--max_skipped_steps={self._options.max_skipped_steps}: see "
                f"{self._file}, or lower --learning_rate; the last checkpoint "
                "is sound"
            )

    @contextlib.contextmanager
    def explained(self, steps: Sequence[Step]) -> Iterator[None]:
        """Around what reads: where nothing can be read, a `UserError`.

        The steps are those since the last `flush`.
        """
        try:
            yield
        except tf.errors.InvalidArgumentError as error:
            position = unreadable_position(error)
            if position is None:
                raise
            statuses = [step.read_status for step in steps]
            statuses.append({POSITION: position, FAILED: ATTEMPTS})
            self._list_failed(statuses)
            raise UserError(
                f"{self._index.info.folder}: none of the {ATTEMPTS} records "
                f"tried for one example can be read, see {self._bad.file}; "
                "write those shards again"
            ) from error

    def _list_failed(self, statuses: list[dict[str, tf.Tensor]]) -> None:
        positions, failed = (
            np.concatenate([np.ravel(status[key]) for status in statuses])
            for key in (POSITION, FAILED)
        )
        numbers = numbers_tried(
            self._index,
            self._options.seed,
            positions[failed > 0],
            failed[failed > 0],
        )
        self._bad.add_failed(self._index, numbers)

    def _clip_ids(self, status: dict[str, tf.Tensor]) -> list[str]:
        positions, failed = np.ravel(status[POSITION]), np.ravel(status[FAILED])
        tried = numbers_tried(
            self._index, self._options.seed, positions, failed + 1
        )
        # The one that was used comes after those that could not be.
        used = np.array(tried)[np.cumsum(failed + 1) - 1]
        return [clip_id(self._index, k) or f"record {k}" for k in used]
