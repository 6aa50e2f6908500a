"""What follows a run, step by step."""

from collections.abc import Mapping

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
