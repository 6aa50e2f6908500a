"""Gradients of the loss of a large batch, with a micro batch in memory.

Contrastive losses and batch norm tie all examples of a batch together: the
mean of the gradients of its parts is no gradient of the whole. Here losses
and statistics are those of the whole batch, over all replicas. Between two
batch norms examples do not meet, so micro batches pass there one after the
other. Of the whole batch little more than the input of each segment of the
encoder is kept; what lies inside is computed again (our choice).
"""

import dataclasses
from collections.abc import Callable, Iterator

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
    size = next(iter(batch.values())).shape[0]
    if size % micro_batch_size:
        raise UserError(
            f"--micro_batch_size={micro_batch_size} does not divide the "
            f"{size} examples of a replica"
        )
    micro_batches = MicroBatches(size // micro_batch_size)
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
    ids, values = map(id, variables + others), of_variables + of_others
    gradients = dict(zip(ids, values, strict=True))
    return [gradients[id(v)] for v in learner.trainable_variables], scalars


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

    parts = {
        name: tf.reshape(tensor, (-1, micro_batch_size, *tensor.shape[1:]))
        for name, tensor in batch.items()
    }
    return micro_batches.map(
        lambda number: learner.log_mel_views(
            {name: tensor[number] for name, tensor in parts.items()}
        ),
        learner.embedding_model.frontend.compute_dtype,
    )


@dataclasses.dataclass
class _Piece:
    """Layers and functions in which examples meet in the first at most.

    Attributes:
      parts: of the network; the first may be a batch norm that is trained.
      keeps_input: whether what enters it is kept while others of its segment
        are worked on.
      moments: mean and variance of the whole batch, which that norm uses.
    """

    parts: list[Callable]
    keeps_input: bool
    moments: list[tf.Tensor] = dataclasses.field(default_factory=list)

    @property
    def norm(self) -> keras.layers.BatchNormalization | None:
        return self.parts[0] if _is_trained_norm(self.parts[0]) else None

    @property
    def moving(self) -> list[keras.Variable]:
        """What the norm keeps of the moments."""
        return [self.norm.moving_mean, self.norm.moving_variance]

    def move_statistics(self) -> None:
        momentum = self.norm.momentum
        for variable, value in zip(self.moving, self.moments, strict=True):
            variable.assign(variable * momentum + value * (1.0 - momentum))

    def trainable_variables(self) -> list[keras.Variable]:
        # Functions have none.
        parts = [getattr(p, "trainable_variables", []) for p in self.parts]
        return sum(parts, [])


def _is_trained_norm(part: Callable) -> bool:
    # A frozen one normalises by its moving statistics.
    return isinstance(part, keras.layers.BatchNormalization) and part.trainable


def _pieces(parts: list[Callable], keep_inputs: bool) -> list[_Piece]:
    """Of a segment of the network, between two activations that are kept."""
    pieces = []
    for part in parts:
        if _is_trained_norm(part) or not pieces:
            pieces.append(_Piece([], keep_inputs))
        pieces[-1].parts.append(part)
    return pieces


class _Encoder:
    """An encoder that is run forwards and backwards, once."""

    def __init__(self, encoder: CNN14, micro_batches: MicroBatches):
        self._micro_batches = micro_batches
        self._dtype = encoder.compute_dtype
        # As the network widens it; not asked of Keras' policy, which replicas
        # do not see.
        self._h_dtype = "float64" if self._dtype == "float64" else "float32"
        self._segments = [
            _pieces(parts, number >= _FIRST_SEGMENT_WITH_INNER_KEPT)
            for number, parts in enumerate(encoder.segments())
        ]
        self._pieces = sum(self._segments, [])
        states = [
            layer.seed_generator.state
            for piece in self._pieces
            for layer in piece.parts
            if isinstance(layer, keras.layers.Dropout) and layer.rate
        ]
        self._random_states = [(s, tf.identity(s.value)) for s in states]
        self._inputs = []

    def trainable_variables(self) -> list:
        return [v for p in self._pieces for v in p.trainable_variables()]

    def forward(self, log_mel: Activations) -> Activations:
        """h of each micro batch; statistics and random states move."""
        x = log_mel
        for pieces in self._segments:
            self._inputs.append(x)
            for start, passed, piece in self._starts(pieces, x):
                if piece.norm is not None:
                    piece.moments = self._moments(piece.norm, passed, start)
                    piece.move_statistics()
            is_last = pieces is self._segments[-1]
            dtype = self._h_dtype if is_last else self._dtype
            x = self._run_each([*passed, piece], start, dtype)
        for state, start in self._random_states:
            state.assign(start + [0, self._micro_batches.count])
        return x

    def backward(self, of_h: Activations) -> list[tf.Tensor]:
        """Gradients for each of `trainable_variables`."""
        gradients = []
        for pieces in reversed(self._segments):
            of_h, of_variables = self._backward(
                pieces, self._inputs.pop(), of_h
            )
            gradients = of_variables + gradients
        return gradients

    def _backward(
        self, pieces: list[_Piece], x: Activations, of_output: Activations
    ) -> tuple[Activations, list[tf.Tensor]]:
        """Gradients of a segment's input and for its variables."""
        starts = list(self._starts(pieces, x))
        # By the number of a piece, for those whose moments act on the loss
        # through pieces that are done.
        of_moments = {}

        def gradients(first, others, number):
            """Of what enters a piece, and of others."""
            start, passed, _ = starts[first]
            entering = x = self._run(passed, start.of(number), number)
            with tf.GradientTape() as tape:
                tape.watch([entering, *pieces[first].moments])
                targets, of_targets = [], []
                for place in range(first, len(pieces)):
                    if place in of_moments:
                        targets += self._shares_of_moments(pieces[place], x)
                        of_targets += of_moments[place]
                    x = self._run([pieces[place]], x, number)
            return tape.gradient(
                [*targets, x],
                [entering, *others],
                [*of_targets, of_output.of(number)],
            )

        # Moments act on those after them, whose gradients come first.
        for place, piece in reversed(list(enumerate(pieces))):
            if piece.norm is not None:
                sums = self._micro_batches.sums(
                    lambda n, k=place, p=piece: gradients(k, p.moments, n)[1:],
                    [tf.zeros_like(moment) for moment in piece.moments],
                )
                of_moments[place] = cross_replica.totals(sums)
        variables = [v for p in pieces for v in p.trainable_variables()]
        return self._micro_batches.map_and_sums(
            lambda number: gradients(0, variables, number),
            x.array.dtype,
            [tf.zeros(v.shape, v.dtype) for v in variables],
        )

    def _starts(
        self, pieces: list[_Piece], x: Activations
    ) -> Iterator[tuple[Activations, list[_Piece], _Piece]]:
        """Yields for each piece: activations, the pieces from there to it, it.

        Moments of a piece must be set before the next is asked for.
        """
        passed = []
        for piece in pieces:
            if piece.keeps_input and passed:
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
                values += zip(piece.moving, piece.moments, strict=True)
        with keras.StatelessScope(values):
            for piece in pieces:
                for part in piece.parts:
                    # By "moving" statistics: those of the whole batch.
                    x = part(x, training=part is not piece.norm)
        return x

    def _moments(
        self, norm, passed: list[_Piece], start: Activations
    ) -> list[tf.Tensor]:
        """Mean and variance of a batch norm's input over the global batch."""

        def of_micro_batch(number):
            x = self._run(passed, start.of(number), number)
            return tf.stack(tf.nn.moments(*_examples_of(norm, x)))

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
        x, axes = _examples_of(piece.norm, x)
        parts = self._micro_batches.count * cross_replica.num_replicas()
        parts = tf.cast(parts, x.dtype)
        return [
            tf.reduce_mean(x, axes) / parts,
            tf.reduce_mean(tf.square(x - mean), axes) / parts,
        ]


def _examples_of(norm: keras.layers.BatchNormalization, x: tf.Tensor):
    """What the norm sees, rounded to its precision and widened; its axes."""
    x = tf.cast(tf.cast(x, norm.compute_dtype), norm.moving_mean.dtype)
    return x, list(range(len(x.shape) - 1))
