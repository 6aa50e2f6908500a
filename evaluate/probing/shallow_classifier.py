"""The slides' shallow classifier on frozen embeddings: one hidden layer."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

# Our choices. Of few clips a step takes few, for there would be few steps else.
_STEPS_AN_EPOCH, _LEAST_CLIPS, _MOST_CLIPS = 8, 16, 256
# No training is longer, but for its first stop.
_MOST_STEPS = 1000
_LEARNING_RATE = 2e-3
# Adam's, as published.
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8


class ShallowSettings(NamedTuple):
    """What is chosen by cross-validation.

    Attributes:
      is_whitened: whether embeddings go in along their principal axes, each
        over the root of its variance and of the axes' mean variance together;
        so axes of little variance are learned as soon, but none that is noise
        is blown up.
      hidden_units: of the hidden layer.
      weight_decay: of AdamW, a step takes this times the rate off the weights.
      epochs: passes over the training clips.
    """

    is_whitened: bool
    hidden_units: int
    weight_decay: float
    epochs: int


class ShallowClassifier:
    """ReLU of one hidden layer, trained by AdamW on cross-entropy.

    A sigmoid for each class, or a softmax over them where a clip has one
    label. Clip embeddings go in, means over windows. At first every clip has
    the frequencies of the classes as scores: rare classes need not unlearn a
    half first.

    Args:
      is_single_label: whether classes exclude each other.
      seed: of the weights and of the order of clips.
    """

    def __init__(self, is_single_label: bool, seed: int):
        self._is_single_label = is_single_label
        self._seed = seed

    def scores_along(
        self,
        grid: Sequence[ShallowSettings],
        train: np.ndarray,
        labels: np.ndarray,
        held_out: np.ndarray,
    ) -> Iterator[tuple[ShallowSettings, np.ndarray]]:
        """Trains with each of the settings; see `LinearClassifier`.

        Settings that differ in epochs are stops of one training. Of those
        beyond 1,000 steps there is only the first, if no other is within.
        """
        batch = np.clip(
            len(train) // _STEPS_AN_EPOCH, _LEAST_CLIPS, _MOST_CLIPS
        )
        steps = math.ceil(len(train) / batch)
        labels = labels.astype(np.float32)
        axes = _whitening_axes(train)
        stops_of: dict[tuple[bool, int, float], list[int]] = {}
        for *training, epochs in sorted(grid):
            stops = stops_of.setdefault(tuple(training), [])
            if not stops or epochs * steps <= _MOST_STEPS:
                stops.append(epochs)
        for training, stops in stops_of.items():
            is_whitened, hidden_units, weight_decay = training
            rows, others = (
                x @ axes if is_whitened else x for x in (train, held_out)
            )
            random = np.random.default_rng(self._seed)
            network = self._network(rows, labels, hidden_units, random)
            optimizer = _AdamW(network, weight_decay)
            for epoch in range(1, stops[-1] + 1):
                order = random.permutation(len(rows))
                for clips in np.array_split(order, steps):
                    gradients = self._gradients(
                        network, rows[clips], labels[clips]
                    )
                    optimizer.step(gradients)
                if epoch in stops:
                    scores = self._scores(_logits(network, others)[1])
                    yield ShallowSettings(*training, epoch), scores

    def _network(self, train, labels, hidden_units, random):
        """Weights and biases of the hidden layer and of the logits."""
        dim, classes = train.shape[1], labels.shape[1]
        rare = 0.5 / len(labels)
        frequencies = np.clip(labels.mean(axis=0), rare, 1 - rare)
        prior = np.log if self._is_single_label else special.logit
        # He et al., 2015.
        hidden = random.normal(0, math.sqrt(2 / dim), (dim, hidden_units))
        arrays = (
            hidden,
            np.zeros(hidden_units),
            np.zeros((hidden_units, classes)),
            prior(frequencies),
        )
        return [array.astype(np.float32) for array in arrays]

    def _gradients(self, network, rows, labels):
        """Those of the mean over clips of the cross-entropy."""
        hidden, logits = _logits(network, rows)
        of_logits = self._probabilities(logits) - labels
        of_logits /= len(rows)
        of_hidden = of_logits @ network[2].T
        of_hidden[hidden == 0] = 0
        return [
            rows.T @ of_hidden,
            of_hidden.sum(axis=0),
            hidden.T @ of_logits,
            of_logits.sum(axis=0),
        ]

    def _probabilities(self, logits: np.ndarray) -> np.ndarray:
        if self._is_single_label:
            return special.softmax(logits, axis=1)
        return special.expit(logits)

    def _scores(self, logits: np.ndarray) -> np.ndarray:
        # Sigmoids would be ranked as logits are, but for those that are 1.
        return self._probabilities(logits) if self._is_single_label else logits


class _AdamW:
    """Loshchilov & Hutter, "Decoupled Weight Decay Regularization" (2019)."""

    def __init__(self, arrays: list[np.ndarray], weight_decay: float):
        self._arrays = arrays
        self._kept = 1 - _LEARNING_RATE * weight_decay
        self._means = [np.zeros_like(array) for array in arrays]
        self._squares = [np.zeros_like(array) for array in arrays]
        self._steps = 0

    def step(self, gradients: list[np.ndarray]) -> None:
        """Moves the arrays."""
        self._steps += 1
        correction = math.sqrt(1 - _BETA_2**self._steps)
        rate = _LEARNING_RATE * correction / (1 - _BETA_1**self._steps)
        for array, mean, square, gradient in zip(
            self._arrays, self._means, self._squares, gradients, strict=True
        ):
            mean += (1 - _BETA_1) * (gradient - mean)
            square += (1 - _BETA_2) * (gradient**2 - square)
            if array.ndim == 2:
                array *= self._kept
            array -= rate * mean / (np.sqrt(square) + _EPSILON)


def _whitening_axes(rows: np.ndarray) -> np.ndarray:
    """(d, d), what turns standardised rows, see `ShallowSettings`."""
    variances, axes = np.linalg.eigh(rows.T @ rows / len(rows))
    floor = np.mean(variances) or 1.0
    return axes / np.sqrt(np.maximum(variances, 0) + floor)


def _logits(network, rows) -> tuple[np.ndarray, np.ndarray]:
    """The hidden layer (n, hidden_units), and the logits (n, C)."""
    hidden = np.maximum(rows @ network[0] + network[1], 0)
    return hidden, hidden @ network[2] + network[3]
