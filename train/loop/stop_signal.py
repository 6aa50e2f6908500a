"""A signal that asks a run to stop, heeded by all of its processes at once."""

import signal

import tensorflow as tf

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignal:
    """Takes SIGTERM and SIGINT while it is entered; a second one kills.

    Several processes must stop at the same step: each gives its vote to a
    step, and heeds the votes of the step before.

    Attributes:
      reason: why to stop; "" as long as this process knows none.
    """

    def __init__(self, num_processes: int):
        self._alone = num_processes == 1
        self._votes: tf.Tensor | None = None
        self._previous = {}
        self.reason = ""

    def __enter__(self) -> "StopSignal":
        for number in _SIGNALS:
            self._previous[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def vote(self) -> tf.Tensor:
        """1 where this process was asked to stop, else 0."""
        return tf.constant(float(bool(self.reason)))

    def is_asked(self, votes: tf.Tensor) -> bool:
        """Whether to stop after this step.

        Args:
          votes: their sum over processes, as of this step. Read only after
            the next one: reading a value waits for its step.
        """
        if self._alone:
            return bool(self.reason)
        before, self._votes = self._votes, votes
        if before is None or not before > 0:
            return False
        self.reason = self.reason or "another process was stopped"
        return True

    def _take(self, number, frame) -> None:
        self.reason = f"stopped by {signal.Signals(number).name}"
        for other, handler in self._previous.items():
            signal.signal(other, handler)
