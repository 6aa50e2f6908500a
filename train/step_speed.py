"""How fast steps go, and how much of their time goes into waiting for data."""

import contextlib
import time
from collections.abc import Iterator


class StepSpeed:
    """Measures from flush to flush.

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

    def flush(self, step: int) -> dict[str, float]:
        """Figures of the steps since the last call.

        Returns:
          examples_per_second, and waiting_for_data: a share of the time.
        """
        now = time.monotonic()
        spent = max(now - self._since, 1e-9)
        rate = (step - self._step) * self._batch_size / spent
        waiting = self._waited / spent
        self._step, self._since, self._waited = step, now, 0.0
        self.note = f"{rate:.3g} examples/s, {waiting:.1%} waiting for data"
        return {"examples_per_second": rate, "waiting_for_data": waiting}
