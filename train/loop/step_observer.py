"""What follows a run, step by step; one of them measures how fast it goes."""

import contextlib
import time
from collections.abc import Iterator, Mapping

import tensorflow as tf


class StepObserver:
    """Told of every step, in every process; by itself it does nothing."""

    def add(
        self,
        step: int,
        scalars: Mapping[str, tf.Tensor],
        read_status: Mapping[str, tf.Tensor],
    ) -> None:
        """Takes a step, without reading a value: that would wait for it.

        Args:
          step: its number.
          scalars: of the global batch.
          read_status: POSITION and FAILED of its examples, of any shape.
        """

    def flush(self, step: int, figures: Mapping[str, float]) -> None:
        """Tells of the steps since the last call, every so often.

        With TensorBoard's writer as the default.

        Args:
          step: the last one added.
          figures: of this step only; NaN where one is not known.

        Raises:
          UserError: the run should not go on.
        """


class StepSpeed(StepObserver):
    """Measures from flush to flush, for TensorBoard and a note.

    It is not in history.csv, which tells nothing of the machine.

    Args:
      batch_size: examples of a step.
      start: the step before the first one.

    Attributes:
      note: the last figures as a short text.
    """

    def __init__(self, batch_size: int, start: int):
        self.note = ""
        self._batch_size, self._step = batch_size, start
        self._since, self._waited = time.monotonic(), 0.0

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Around what waits for data."""
        start = time.monotonic()
        yield
        self._waited += time.monotonic() - start

    def flush(self, step, figures):
        now = time.monotonic()
        spent = max(now - self._since, 1e-9)
        rate = (step - self._step) * self._batch_size / spent
        waiting = self._waited / spent
        self._step, self._since, self._waited = step, now, 0.0
        self.note = f"{rate:.3g} examples/s, {waiting:.1%} waiting for data"
        tf.summary.scalar("speed/examples_per_second", rate, step)
        tf.summary.scalar("speed/waiting_for_data", waiting, step)
