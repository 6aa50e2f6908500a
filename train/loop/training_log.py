"""What a run tells of itself: history.csv, TensorBoard, a note."""

import contextlib
import math
import pathlib
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf

from data.run import csv_table
from data.run.errors import UserError
from data.run.run_directory import HISTORY_FILE

TENSORBOARD_FOLDER = "tensorboard"
# 0 or 1 of each step; where it is 1, the other figures say nothing.
SKIPPED = "skipped"

_GROUPS = {
    "optimizer": ("learning_rate", "gradient_norm", SKIPPED),
    "embedding": ("alignment", "uniformity", "h_norm", "effective_rank"),
    "separation": ("channel_activity", "si_sdr_improvement_db"),
}
_GROUP_OF = {name: group for group in _GROUPS for name in _GROUPS[group]}


class Step(NamedTuple):
    """A step that was started; to read a value of it waits for its end.

    Attributes:
      number: from 1.
      scalars: of the global batch.
      read_status: POSITION and FAILED of its examples, of any shape.
    """

    number: int
    scalars: dict[str, tf.Tensor]
    read_status: dict[str, tf.Tensor]

    @property
    def is_skipped(self) -> bool:
        """Whether its update was left out."""
        return float(self.scalars[SKIPPED]) > 0


class TrainingLog:
    """Means of the steps' figures, every so often.

    A row of history.csv has the means since the row before. It holds nothing
    that depends on the machine's speed: the same seed gives the same file.
    TensorBoard has the same figures by group: losses/..., optimizer/...,
    embedding/..., separation/..., and the speed.

    Means are over the steps that were not skipped, NaN where all were;
    "skipped" is how many were.

    Args:
      start_step: the step that the run goes on from; what was told of later
        ones is dropped, in both.

    Attributes:
      note: the last losses and the speed as a short text.
      writer: as TensorBoard's default writer, lets others write to the same
        run with `tf.summary`; to be closed at the end.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        start_step: int,
        batch_size: int,
        tensorboard: bool = True,
    ):
        self.note = ""
        self._batch_size = batch_size
        self._since, self._waited = time.monotonic(), 0.0
        # The first step is traced: it does not count for the speed.
        self._begun = self._uncounted = 0
        self._file = folder / HISTORY_FILE
        header, *rows = csv_table.rows_written(self._file) or [[]]
        kept = [row for row in rows if step_of(row, self._file) <= start_step]
        self._columns = header if kept else []
        if kept:
            csv_table.write(self._file, [header, *kept])
        else:
            self._file.unlink(missing_ok=True)
        self.writer = (
            _open_writer(folder / TENSORBOARD_FOLDER, start_step)
            if tensorboard
            else tf.summary.create_noop_writer()
        )

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Around what waits for data."""
        start = time.monotonic()
        if self._begun == 1:
            self._since, self._waited, self._uncounted = start, 0.0, 1
        self._begun += 1
        yield
        self._waited += time.monotonic() - start

    def flush(self, steps: Sequence[Step], figures: dict[str, float]) -> None:
        """Tells of the steps since the last call.

        Args:
          steps: one or more.
          figures: of the last one only; NaN where one is not known.
        """
        used = [step.scalars for step in steps if not step.is_skipped]
        means = {
            name: float(sum(scalars[name] for scalars in used)) / len(used)
            if used
            else math.nan
            for name in steps[0].scalars
            if name != SKIPPED
        }
        skipped = len(steps) - len(used)
        row = means | {SKIPPED: skipped} | figures
        self._write_row({"step": steps[-1].number} | row)
        notes = [
            f"{name} {value:.4g}"
            for name, value in means.items()
            if name not in _GROUP_OF and not math.isnan(value)
        ]
        if skipped:
            notes.append(f"{skipped} skipped" if notes else "all skipped")
        now = time.monotonic()
        spent = max(now - self._since, 1e-9)
        rate = (len(steps) - self._uncounted) * self._batch_size / spent
        waiting = self._waited / spent
        self._since, self._waited, self._uncounted = now, 0.0, 0
        self._begun = max(self._begun, 2)
        notes.append(f"{rate:.3g} examples/s, {waiting:.1%} waiting for data")
        self.note = ", ".join(notes)
        with self.writer.as_default(steps[-1].number):
            for name, value in row.items():
                if not math.isnan(value):
                    group = _GROUP_OF.get(name, "losses")
                    tf.summary.scalar(f"{group}/{name}", value)
            tf.summary.scalar("speed/examples_per_second", rate)
            tf.summary.scalar("speed/waiting_for_data", waiting)
        self.writer.flush()

    def _write_row(self, row: dict[str, float]) -> None:
        new = [name for name in row if name not in self._columns]
        if new:
            # Rows of before have nothing to say on a new column.
            rows = csv_table.rows_written(self._file)[1:]
            self._columns += new
            rows = [cells + [""] * len(new) for cells in rows]
            csv_table.write(self._file, [self._columns, *rows])
        cells = [row.get(name, math.nan) for name in self._columns]
        csv_table.append(
            self._file, ["" if math.isnan(cell) else cell for cell in cells]
        )


def step_of(row: Sequence[str], file: pathlib.Path) -> int:
    """The step that a row of a file begins with.

    Raises:
      UserError: it begins with something else.
    """
    try:
        return int(row[0])
    except (ValueError, IndexError) as error:
        raise UserError(
            f"{file} has a row {','.join(row)!r}, which starts with no step: "
            "delete that file"
        ) from error


def _open_writer(
    folder: pathlib.Path, start_step: int
) -> tf.summary.SummaryWriter:
    writer = tf.summary.create_file_writer(str(folder))
    # Points of steps that are run again would show twice: TensorBoard drops
    # them at the second and later starts of a session, from its step on.
    session = tf.compat.v1.SessionLog
    start = tf.compat.v1.Event(
        wall_time=time.time(),
        step=start_step + 1,
        session_log=session(status=session.START),
    )
    tf.raw_ops.ImportEvent(
        # Public functions write summaries only, to a writer of one's own.
        writer=writer._resource,
        event=start.SerializeToString(),
    )
    return writer
