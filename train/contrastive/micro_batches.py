"""One computation for each micro batch of a batch, in turn."""

import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Activations:
    """A tensor of each micro batch, all of one shape."""

    array: tf.TensorArray
    shape: tf.TensorShape
    count: int

    def of(self, number: tf.Tensor) -> tf.Tensor:
        """That of one micro batch."""
        return tf.ensure_shape(self.array.read(number), self.shape)

    def stack(self) -> tf.Tensor:
        """(micro batches, *shape)."""
        return tf.ensure_shape(self.array.stack(), (self.count, *self.shape))


class MicroBatches:
    """Loops over micro batches, one loop after the other.

    Functions get the number of a micro batch. In a graph they are traced
    once a loop.
    """

    def __init__(self, count: int):
        self.count = count
        self._last_results = []

    def map(
        self, function: Callable[[tf.Tensor], tf.Tensor], dtype: tf.DType
    ) -> Activations:
        """Keeps what the function returns, which is of that type."""
        return self.map_and_sums(lambda n: [function(n)], dtype, [])[0]

    def unstack(self, tensor: tf.Tensor) -> Activations:
        """(micro batches, ...) to a tensor of each."""
        return self.map(lambda number: tensor[number], tensor.dtype)

    def sums(
        self,
        function: Callable[[tf.Tensor], list[tf.Tensor]],
        zeros: Sequence[tf.Tensor],
    ) -> list[tf.Tensor]:
        """Sums of each tensor that the function returns, shaped as `zeros`."""
        nothing = tf.zeros([])
        return self.map_and_sums(
            lambda n: [nothing, *function(n)], nothing.dtype, zeros
        )[1]

    def map_and_sums(
        self,
        function: Callable[[tf.Tensor], Sequence[tf.Tensor]],
        dtype: tf.DType,
        zeros: Sequence[tf.Tensor],
    ) -> tuple[Activations, list[tf.Tensor]]:
        """Keeps the first of what the function returns, and sums the others.

        Args:
          function: returns a tensor of that type, and others as `zeros`.
          dtype: of what is kept.
          zeros: what the sums start with.
        """
        shape = None

        def body(number, array, sums):
            nonlocal shape
            kept, *terms = function(number)
            shape = kept.shape
            sums = [s + term for s, term in zip(sums, terms, strict=True)]
            return number + 1, array.write(number, kept), sums

        array = tf.TensorArray(
            dtype, self.count, clear_after_read=False, infer_shape=False
        )
        # In a graph, a loop starts on all for which it need not wait. Two at
        # a time, or two steps of one, take the memory of two.
        with tf.control_dependencies(self._last_results):
            first = tf.identity(0)
        number, array, sums = tf.while_loop(
            lambda number, *_: number < self.count,
            body,
            (first, array, list(zeros)),
            parallel_iterations=1,
        )
        if not tf.executing_eagerly():
            self._last_results = [number, array.flow, *sums]
        return Activations(array, shape, self.count), sums
