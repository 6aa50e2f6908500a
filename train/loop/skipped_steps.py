"""Steps whose update was left out, found out while a run goes on."""

import collections
import csv
import pathlib

import numpy as np
import tensorflow as tf
from absl import logging

from data.run import csv_table
from data.run.errors import UserError
from data.shards.bad_records import clip_id
from data.shards.record_index import RecordIndex
from data.shards.record_reader import FAILED, POSITION, numbers_tried
from train.loop.step_observer import StepObserver
from train.loop.training_log import SKIPPED
from train.loop.training_options import TrainingOptions

SKIPPED_FILE = "skipped_steps.csv"
_WINDOW = 100


class SkippedSteps(StepObserver):
    """Lists the clips of each such step in skipped_steps.csv.

    Args:
      index: of the records that are read.
      options: seed of their order, and how many steps may be skipped.
      folder: the run directory.
      start: step of the checkpoint that the run goes on from.
    """

    def __init__(
        self,
        index: RecordIndex,
        options: TrainingOptions,
        folder: pathlib.Path,
        start: int,
    ):
        self._index, self._options = index, options
        self._file = folder / SKIPPED_FILE
        self._rows = [row for row in _read(self._file) if int(row[0]) <= start]
        self._recent = collections.deque(maxlen=_WINDOW)
        self._waiting = []

    def add(self, step, scalars, read_status):
        self._waiting.append((step, scalars[SKIPPED], read_status))

    def flush(self, step, figures):
        found = [(step, s) for step, skipped, s in self._waiting if skipped > 0]
        self._recent.extend(float(s) > 0 for _, s, _ in self._waiting)
        self._waiting = []
        if not found:
            return
        for step, status in found:
            self._rows.append([str(step), " ".join(self._clip_ids(status))])
        header = ["step", "clip_ids"]
        csv_table.write(self._file, [header, *self._rows], line_end="\r\n")
        logging.warning(
            "step %s: loss or gradient was not finite, the weights were left "
            "as they were; its clips are in %s",
            ", ".join(str(step) for step, _ in found),
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

    def _clip_ids(self, status: dict[str, tf.Tensor]) -> list[str]:
        ids = []
        positions, failed = np.ravel(status[POSITION]), np.ravel(status[FAILED])
        for position, count in zip(positions, failed, strict=True):
            # The one that was used comes after those that could not be.
            *_, number = numbers_tried(
                self._index, self._options.seed, [position], [count + 1]
            )
            ids.append(clip_id(self._index, number) or f"record {number}")
        return ids


def _read(file: pathlib.Path) -> list[list[str]]:
    if not file.exists():
        return []
    return list(csv.reader(file.read_text().splitlines()))[1:]
