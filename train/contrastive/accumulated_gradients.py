"""Gradients of the loss of a large batch, with a micro batch in memory.

Contrastive losses and batch norm tie all examples of a batch together: the
mean of the gradients of its parts is no gradient of the whole. Here losses
and statistics are those of the whole batch, over all replicas. Between two
batch norms examples do not meet, so micro batches pass there one after the
other. Of the whole batch little more than the input of each segment of the
encoder is kept; what lies inside is computed again (our choice).
"""

import functools
from collections.abc import Callable

import keras
import tensorflow as tf

from data.run.errors import UserError
from models.cnn14.cnn14 import CNN14
from train.contrastive.micro_batches import Activations, MicroBatches
from train.loop import cross_replica

# Each block halves the activations. From this segment on, those before a batch
# norm are kept while the segment is worked on: time for no more memory.
_FIRST_SEGMENT_WITH_INNER_KEPT = 3


# Autograph would find nothing to convert, and take its time.
@tf.autograph.experimental.do_not_convert
def gradients_of(
    learner: keras.Model, batch: dict[str, tf.Tensor], micro_batch_size: int
) -> tuple[list[tf.Tensor | None], dict[str, tf.Tensor]]:
    """What a tape over the whole batch would give, up to rounding.

    Moving statistics move once, as of the whole batch. Dropout draws as if
    the micro batches were batches, one after the other.

    Args:
      learner: a `ContrastiveLearner` with its optimizer.
      batch: of this replica; the first axis of each tensor is the example.
      micro_batch_size: view pairs that go through the encoder at once.

    Returns:
      Gradients of the scaled loss for each of `learner.trainable_variables`,
      and named scalars; shares of both, see `cross_replica`.

    Raises:
      UserError: the batch is no multiple of the micro batch.
    """
    micro_batches = MicroBatches(_count(batch, micro_batch_size))
    log_mel = _log_mel(learner, batch, micro_batch_size, micro_batches)
    encoder = _Encoder(learner.embedding_model.encoder, micro_batches)
    h = encoder.forward(log_mel).stack()  # (micro batches, 2m, d)
    variables = encoder.trainable_variables()
    inside = {id(variable) for variable in variables}
    others = [v for v in learner.trainable_variables if id(v) not in inside]
    with tf.GradientTape() as tape:
        tape.watch(h)
        h_a, h_b = (
            tf.reshape(half, (-1, h.shape[-1])) for half in tf.split(h, 2, 1)
        )
        scalars = learner.losses_of_embeddings(h_a, h_b)
        loss = learner.optimizer.scale_loss(scalars["loss"])
    of_h, of_others = tape.gradient(loss, [h, others])
    of_variables = encoder.backward(micro_batches.unstack(of_h))
    gradients = {
        id(variable): gradient
        for variable, gradient in zip(
            variables + others, of_variables + of_others, strict=True
        )
    }
    return [gradients[id(v)] for v in learner.trainable_variables], scalars


def _count(batch, micro_batch_size: int):
    """Micro batches: an int, or a tensor where the batch has no static size."""
    views = tf.nest.flatten(batch)[0]
    if views.shape[0] is None:
        return tf.shape(views)[0] // micro_batch_size
    if views.shape[0] % micro_batch_size:
        raise UserError(
            f"--micro_batch_size={micro_batch_size} does not divide the "
            f"{views.shape[0]} examples of a replica"
        )
    return views.shape[0] // micro_batch_size


def _log_mel(
    learner, batch, micro_batch_size: int, micro_batches: MicroBatches
) -> Activations:
    """First views of a micro batch, then its second ones."""
    if learner.triplet_positive is not None:
        # Positives mix clips of the whole batch.
        log_mel = learner.log_mel_views(batch)
        patch = log_mel.shape[1:]
        log_mel = tf.reshape(log_mel, (2, -1, micro_batch_size, *patch))
        log_mel = tf.transpose(log_mel, (1, 0, 2, 3, 4))
        log_mel = tf.reshape(log_mel, (-1, 2 * micro_batch_size, *patch))
        return micro_batches.unstack(log_mel)

    parts = tf.nest.map_structure(
        lambda tensor: tf.reshape(
            tensor, (-1, micro_batch_size, *tensor.shape[1:])
        ),
        batch,
    )
    return micro_batches.map(
        lambda number: learner.log_mel_views(
            tf.nest.map_structure(lambda tensor: tensor[number], parts)
        ),
        learner.embedding_model.frontend.compute_dtype,
    )


class _Piece:
    """At most one batch norm, then layers in which examples do not meet.

    Attributes:
      norm: the batch norm; None without one, or where it is frozen.
      parts: layers and functions after it.
      moments: mean and variance of the whole batch, which the norm uses.
    """

    def __init__(self, norm: keras.layers.BatchNormalization | None):
        self.norm = norm
        self.parts = []
        self.moments = []

    def layers(self) -> list[keras.layers.Layer]:
        layers = [] if self.norm is None else [self.norm]
        return layers + [
            part for part in self.parts if isinstance(part, keras.layers.Layer)
        ]


class _Segment:
    """Pieces of the encoder between two activations that are kept."""

    def __init__(self, parts: list[Callable], keeps_inner: bool):
        self.keeps_inner = keeps_inner
        self.pieces = []
        for part in parts:
            is_norm = isinstance(part, keras.layers.BatchNormalization)
            # A frozen one normalises by its moving statistics.
            if is_norm and part.trainable:
                self.pieces.append(_Piece(part))
                continue
            if not self.pieces:
                self.pieces.append(_Piece(None))
            self.pieces[-1].parts.append(part)

    def layers(self) -> list[keras.layers.Layer]:
        return [layer for piece in self.pieces for layer in piece.layers()]

    def trainable_variables(self) -> list:
        return [v for layer in self.layers() for v in layer.trainable_variables]


class _Encoder:
    """An encoder that is run forwards and backwards, once.

    Args:
      encoder: the network.
      micro_batches: of the batch.
    """

    def __init__(self, encoder: CNN14, micro_batches: MicroBatches):
        self._micro_batches = micro_batches
        self._dtype = encoder.compute_dtype
        # As the network widens it; not asked of Keras' policy, which replicas
        # do not see.
        self._h_dtype = "float64" if self._dtype == "float64" else "float32"
        self._segments = [
            _Segment(parts, number >= _FIRST_SEGMENT_WITH_INNER_KEPT)
            for number, parts in enumerate(encoder.segments())
        ]
        states = [
            layer.seed_generator.state
            for segment in self._segments
            for layer in segment.layers()
            if isinstance(layer, keras.layers.Dropout) and layer.rate
        ]
        self._random_states = [(s, tf.identity(s.value)) for s in states]
        self._inputs = []

    def trainable_variables(self) -> list:
        return [v for s in self._segments for v in s.trainable_variables()]

    def forward(self, log_mel: Activations) -> Activations:
        """h of each micro batch; statistics and random states move."""
        x = log_mel
        for segment in self._segments:
            self._inputs.append(x)
            for start, passed, piece in self._starts(segment, x):
                if piece.norm is not None:
                    piece.moments = self._moments(piece.norm, passed, start)
                    _move_statistics(piece)
            is_last = segment is self._segments[-1]
            dtype = self._h_dtype if is_last else self._dtype
            x = self._run_each([*passed, piece], start, dtype)
        for state, start in self._random_states:
            state.assign(start + [0, self._micro_batches.count])
        return x

    def backward(self, of_h: Activations) -> list[tf.Tensor]:
        """Gradients for each of `trainable_variables`."""
        gradients = []
        for segment in reversed(self._segments):
            of_h, of_variables = self._backward(
                segment, self._inputs.pop(), of_h
            )
            gradients = of_variables + gradients
        return gradients

    def _backward(
        self, segment: _Segment, x: Activations, of_output: Activations
    ) -> tuple[Activations, list[tf.Tensor]]:
        """Gradients of a segment's input and for its variables."""
        pieces = segment.pieces
        variables = segment.trainable_variables()
        starts = list(self._starts(segment, x))
        # By the number of a piece, for those whose moments act on the loss
        # through pieces that are done.
        of_moments = {}

        def gradients_from(first, through_moments, number):
            start, passed, _ = starts[first]
            x = self._run(passed, start.of(number), number)
            sources = [x, *variables]
            if through_moments:
                sources = pieces[first].moments
            with tf.GradientTape() as tape:
                tape.watch([x, *pieces[first].moments])
                targets, of_targets = [], []
                for place in range(first, len(pieces)):
                    if place in of_moments:
                        targets += self._shares_of_moments(pieces[place], x)
                        of_targets += of_moments[place]
                    x = self._run([pieces[place]], x, number)
            return tape.gradient(
                [*targets, x], sources, [*of_targets, of_output.of(number)]
            )

        # Moments act on those after them, whose gradients come first.
        for place, piece in reversed(list(enumerate(pieces))):
            if piece.norm is not None:
                sums = self._micro_batches.sums(
                    functools.partial(gradients_from, place, True),
                    [tf.zeros_like(moment) for moment in piece.moments],
                )
                of_moments[place] = cross_replica.totals(sums)

        def of_input_and_variables(number):
            of_input, *of_variables = gradients_from(0, False, number)
            return of_input, of_variables

        return self._micro_batches.map_and_sums(
            of_input_and_variables,
            x.dtype,
            [tf.zeros(v.shape, v.dtype) for v in variables],
        )

    def _starts(self, segment: _Segment, x: Activations):
        """Yields for each piece: activations, the pieces from there to it, it.

        Moments of a piece must be set before the next is asked for.
        """
        passed = []
        for piece in segment.pieces:
            if segment.keeps_inner and passed:
                x, passed = self._run_each(passed, x, self._dtype), []
            yield x, list(passed), piece
            passed.append(piece)

    def _run_each(
        self, pieces: list[_Piece], x: Activations, dtype
    ) -> Activations:
        return self._micro_batches.map(
            lambda number: self._run(pieces, x.of(number), number), dtype
        )

    def _run(self, pieces: list[_Piece], x: tf.Tensor, number) -> tf.Tensor:
        """Pieces on one micro batch, with its own dropout masks each time."""
        values = [
            (state, start + [0, number]) for state, start in self._random_states
        ]
        for piece in pieces:
            if piece.norm is not None:
                norm = piece.norm
                moving = (norm.moving_mean, norm.moving_variance)
                values += zip(moving, piece.moments, strict=True)
        with keras.StatelessScope(values):
            for piece in pieces:
                if piece.norm is not None:
                    # By "moving" statistics: those of the whole batch.
                    x = piece.norm(x, training=False)
                for part in piece.parts:
                    x = part(x, training=True)
        return x

    def _moments(
        self, norm, passed: list[_Piece], start: Activations
    ) -> list[tf.Tensor]:
        """Mean and variance of a batch norm's input over the global batch."""

        def of_micro_batch(number):
            x = self._run(passed, start.of(number), number)
            x = _input_of(norm, x)
            return tf.stack(tf.nn.moments(x, _axes_of_examples(x)))

        dtype = norm.moving_mean.dtype
        moments = self._micro_batches.map(of_micro_batch, dtype).stack()
        moments = cross_replica.gather(moments)
        # Micro batches are equally large.
        means, variances = tf.unstack(moments, axis=1)
        mean = tf.reduce_mean(means, axis=0)
        between = tf.square(means - mean)
        return [mean, tf.reduce_mean(variances + between, axis=0)]

    def _shares_of_moments(self, piece: _Piece, x: tf.Tensor):
        """What one micro batch adds to the moments of the global batch."""
        mean, _ = piece.moments
        x = _input_of(piece.norm, x)
        axes = _axes_of_examples(x)
        parts = self._micro_batches.count * cross_replica.num_replicas()
        parts = tf.cast(parts, x.dtype)
        return [
            tf.reduce_mean(x, axes) / parts,
            tf.reduce_mean(tf.square(x - mean), axes) / parts,
        ]


def _input_of(norm: keras.layers.BatchNormalization, x: tf.Tensor):
    """As the norm sees it: rounded to its precision, then widened."""
    return tf.cast(tf.cast(x, norm.compute_dtype), norm.moving_mean.dtype)


def _axes_of_examples(x: tf.Tensor) -> list[int]:
    return list(range(len(x.shape) - 1))


def _move_statistics(piece: _Piece) -> None:
    norm = piece.norm
    moving = (norm.moving_mean, norm.moving_variance)
    for variable, value in zip(moving, piece.moments, strict=True):
        variable.assign(
            variable * norm.momentum + value * (1.0 - norm.momentum)
        )
