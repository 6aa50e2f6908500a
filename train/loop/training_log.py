"""What a run tells of itself: history.csv, TensorBoard, a note."""

import csv
import math
import pathlib
import time

import tensorflow as tf

from data.run import csv_table
from data.run.run_directory import HISTORY_FILE
from train.loop.step_observer import StepObserver

TENSORBOARD_FOLDER = "tensorboard"
# 0 or 1 of each step; where it is 1, the other figures say nothing.
SKIPPED = "skipped"
_STEP = "step"

_LOSSES = "losses"
_GROUP_OF = {
    "learning_rate": "optimizer",
    "gradient_norm": "optimizer",
    SKIPPED: "optimizer",
    "alignment": "embedding",
    "uniformity": "embedding",
    "h_norm": "embedding",
    "effective_rank": "embedding",
    "channel_activity": "separation",
    "si_sdr_improvement_db": "separation",
}


class TrainingLog(StepObserver):
    """Means of the steps' figures, every so often.

    A row of history.csv has the means since the row before. It holds nothing
    that depends on the machine's speed: the same seed gives the same file.
    TensorBoard has the same figures by group: losses/..., optimizer/...,
    embedding/..., separation/....

    Means are over the steps that were not skipped, NaN where all were;
    "skipped" is how many were.

    Args:
      folder: the run directory.
      start_step: the step that the run goes on from; what was told of later
        ones is dropped, in both.
      tensorboard: whether to write for TensorBoard.

    Attributes:
      note: the last losses as a short text.
      writer: as TensorBoard's default writer, lets others write to the same
        run with `tf.summary`.
    """

    def __init__(
        self, folder: pathlib.Path, start_step: int, tensorboard: bool = True
    ):
        self.note = ""
        self._file = folder / HISTORY_FILE
        self._sums, self._count = {}, 0
        self._columns = _drop_later_rows(self._file, start_step)
        self.writer = (
            _open_writer(folder / TENSORBOARD_FOLDER, start_step)
            if tensorboard
            else tf.summary.create_noop_writer()
        )

    def add(self, step, scalars, read_status):
        for name, value in scalars.items():
            known = self._sums.get(name)
            self._sums[name] = value if known is None else known + value
        self._count += 1

    def flush(self, step, figures):
        if not self._count:
            return
        means = {name: float(total) for name, total in self._sums.items()}
        skipped = round(means.pop(SKIPPED, 0))
        used = self._count - skipped
        means = {n: v / used if used else math.nan for n, v in means.items()}
        if SKIPPED in self._sums:
            means[SKIPPED] = skipped
        self._sums, self._count = {}, 0
        row = means | dict(figures)
        self._write_row(step, row)
        points = {f"{_group(name)}/{name}": row[name] for name in row}
        with self.writer.as_default(step):
            for tag, value in points.items():
                if not math.isnan(value):
                    tf.summary.scalar(tag, value)
        self.writer.flush()
        self.note = ", ".join(
            f"{name} {value:.4g}"
            for name, value in means.items()
            if _group(name) == _LOSSES and not math.isnan(value)
        )
        if skipped:
            self.note += f", {skipped} skipped" if self.note else "all skipped"

    def close(self) -> None:
        """Ends TensorBoard's file."""
        self.writer.close()

    def _write_row(self, step: int, row: dict[str, float]) -> None:
        cells = {_STEP: step} | {
            name: "" if math.isnan(value) else value
            for name, value in row.items()
        }
        new = [name for name in cells if name not in self._columns]
        if new:
            # Rows of before have nothing to say on a new column.
            rows = _read(self._file)[1:]
            blank = [""] * len(new)
            self._columns += new
            rows = [self._columns, *(row + blank for row in rows)]
            csv_table.write(self._file, rows)
        csv_table.append(
            self._file, [cells.get(name, "") for name in self._columns]
        )


def _group(name: str) -> str:
    return _GROUP_OF.get(name, _LOSSES)


def _drop_later_rows(file: pathlib.Path, last: int) -> list[str]:
    """Leaves the rows up to a step; returns the columns."""
    if not file.exists():
        return []
    header, *rows = _read(file) or [[]]
    kept = [row for row in rows if int(row[0]) <= last]
    if not kept:
        file.unlink()
        return []
    csv_table.write(file, [header, *kept])
    return header


def _read(file: pathlib.Path) -> list[list[str]]:
    """Header and rows, without one that a kill has cut short."""
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    return list(csv.reader(line for line in lines if line.endswith("\n")))


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
