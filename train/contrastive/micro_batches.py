"""One computation for each micro batch of a batch, in turn."""

from collections.abc import Callable, Sequence

import tensorflow as tf


class Activations:
    """A tensor of each micro batch.

    Args:
      array: the tensors, by number of the micro batch.
      dtype: theirs.
      shape: theirs, as far as it is known.
      count: micro batches.
    """

    def __init__(
        self,
        array: tf.TensorArray,
        dtype: tf.DType,
        shape: tf.TensorShape,
        count: int | tf.Tensor,
    ):
        self._array = array
        self.dtype = dtype
        self._shape = shape
        self._count = count if isinstance(count, int) else None

    def of(self, number: tf.Tensor | int) -> tf.Tensor:
        """That of one micro batch."""
        return tf.ensure_shape(self._array.read(number), self._shape)

    def stack(self) -> tf.Tensor:
        """(micro batches, *shape)."""
        return tf.ensure_shape(self._array.stack(), (self._count, *self._shape))


class MicroBatches:
    """Loops over micro batches, one loop after the other.

    Functions get the number of a micro batch. In a graph they are traced
    once a loop.

    Args:
      count: micro batches.
    """

    def __init__(self, count: int | tf.Tensor):
        self.count = count
        self._last_results = []

    def map(
        self, function: Callable[[tf.Tensor], tf.Tensor], dtype: tf.DType
    ) -> Activations:
        """Keeps what the function returns, which is of that type."""
        return self.map_and_sums(lambda n: (function(n), []), dtype, [])[0]

    def sums(
        self,
        function: Callable[[tf.Tensor], list[tf.Tensor]],
        zeros: Sequence[tf.Tensor],
    ) -> list[tf.Tensor]:
        """Sums of each tensor that the function returns.

        Args:
          function: returns tensors shaped as `zeros`.
          zeros: what the sums start with.
        """
        return self._loop(lambda n, kept: (kept, function(n)), [], zeros)[1]

    def map_and_sums(
        self,
        function: Callable[[tf.Tensor], tuple[tf.Tensor, list[tf.Tensor]]],
        dtype: tf.DType,
        zeros: Sequence[tf.Tensor],
    ) -> tuple[Activations, list[tf.Tensor]]:
        """`map` of the first and `sums` of the second that is returned."""
        shape = None

        def keep(number, kept):
            nonlocal shape
            result, terms = function(number)
            shape = result.shape
            return [kept[0].write(number, result)], terms

        array = tf.TensorArray(
            dtype, self.count, clear_after_read=False, infer_shape=False
        )
        kept, sums = self._loop(keep, [array], zeros)
        dtype = tf.as_dtype(dtype)
        return Activations(kept[0], dtype, shape, self.count), sums

    def unstack(self, tensor: tf.Tensor) -> Activations:
        """(micro batches, ...) to a tensor of each."""
        return self.map(lambda number: tensor[number], tensor.dtype)

    def _loop(self, function, kept, zeros):
        def body(number, kept, sums):
            kept, terms = function(number, kept)
            sums = [s + term for s, term in zip(sums, terms, strict=True)]
            return number + 1, kept, sums

        # In a graph, a loop starts on all for which it need not wait. Two at
        # a time, or two steps of one, take the memory of two.
        with tf.control_dependencies(self._last_results):
            first = tf.identity(0)
        number, kept, sums = tf.while_loop(
            lambda number, *_: number < self.count,
            body,
            (first, kept, list(zeros)),
            parallel_iterations=1,
        )
        self._last_results = []
        if not tf.executing_eagerly():
            self._last_results = [number, *sums, *(a.flow for a in kept)]
        return kept, sums
