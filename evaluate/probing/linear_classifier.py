"""A linear classifier on frozen embeddings: logistic regression."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import optimize, special

_BLOCK_ROWS = 512


class LinearSettings(NamedTuple):
    """What is chosen by cross-validation.

    Attributes:
      C: scikit-learn's, the weight of the summed loss beside half the squared
        norm of the weights.
    """

    C: float


class LinearClassifier:
    """Logistic regression of all classes at once.

    A sigmoid for each class, or a softmax over them where a clip has one
    label; the bias has no penalty. The minimum is that of scikit-learn's
    `LogisticRegression`, which takes one class after the other: 527 of them
    would be minutes. Here L-BFGS goes over all of them together, in principal
    axes, each weight on the scale of its curvature where a class is guessed by
    its frequency. So few steps do.

    Args:
      is_single_label: whether classes exclude each other.
    """

    def __init__(self, is_single_label: bool):
        self._is_single_label = is_single_label

    def scores_along(
        self,
        grid: Sequence[LinearSettings],
        train: np.ndarray,
        labels: np.ndarray,
        held_out: np.ndarray,
    ) -> Iterator[tuple[LinearSettings, np.ndarray]]:
        """Trains with each of the settings, the strongest penalty first.

        Each starts where the one before ended.

        Args:
          grid: the settings.
          train: standardised embeddings (n, d) float32.
          labels: theirs (n, C), multi-hot.
          held_out: standardised embeddings (m, d) float32.

        Yields:
          Settings, and the scores (m, C) float32 of `held_out`.
        """
        variances, axes = np.linalg.eigh(train.T @ train / len(train))
        variances = np.maximum(variances, 0)
        rows = train @ axes
        frequencies = labels.mean(axis=0, dtype=np.float64)
        # What no clip has, or each, counts as what half a clip has.
        rare = 0.5 / len(labels)
        frequencies = np.clip(frequencies, rare, 1 - rare)
        curvatures = frequencies * (1 - frequencies)
        bias = special.logit(frequencies)
        weights = np.zeros((train.shape[1], labels.shape[1]))
        for settings in sorted(grid):
            penalty = 1 / (settings.C * len(train))
            bias, weights = self._fit(
                rows, labels, penalty, variances, curvatures, bias, weights
            )
            logits = held_out @ (axes @ weights).astype(np.float32) + bias
            yield settings, self._scores(logits.astype(np.float32))

    def _fit(
        self, rows, labels, penalty, variances, curvatures, bias, weights
    ) -> tuple[np.ndarray, np.ndarray]:
        """Bias (C,) and weights (d, C) of least loss; from the last two on."""
        labels = labels.astype(np.float32)
        scale = 1 / np.sqrt(
            np.concatenate(
                [curvatures[None], np.outer(variances, curvatures) + penalty]
            )
        )

        def loss_and_gradient(scaled):
            bias, weights = np.split(scaled.reshape(scale.shape) * scale, [1])
            loss = penalty / 2 * np.sum(weights**2)
            gradient = np.concatenate([np.zeros_like(bias), penalty * weights])
            bias, weights = (x.astype(np.float32) for x in (bias, weights))
            # Blocks of logits stay in the processor's cache.
            for first in range(0, len(rows), _BLOCK_ROWS):
                block = rows[first : first + _BLOCK_ROWS]
                of_block, residuals = self._loss(
                    block @ weights + bias, labels[first : first + _BLOCK_ROWS]
                )
                loss += of_block / len(rows)
                gradient[0] += residuals.sum(axis=0) / len(rows)
                gradient[1:] += block.T @ residuals / len(rows)
            return loss, (gradient * scale).ravel()

        found = optimize.minimize(
            loss_and_gradient,
            (np.concatenate([bias[None], weights]) / scale).ravel(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 200, "ftol": 1e-7, "gtol": 1e-6},
        )
        bias, weights = np.split(found.x.reshape(scale.shape) * scale, [1])
        return bias[0], weights

    def _loss(
        self, logits: np.ndarray, labels: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """Summed cross-entropy, and its derivatives by the logits."""
        true = np.vdot(logits, labels)
        if self._is_single_label:
            total = special.logsumexp(logits, axis=1, keepdims=True)
            return float(total.sum() - true), np.exp(logits - total) - labels
        # log(1 + exp(x)) without overflow; the sigmoid from the same numbers.
        small = np.exp(-np.abs(logits))
        total = np.sum(np.log1p(small) + np.maximum(logits, 0))
        sigmoids = np.where(logits > 0, 1, small) / (1 + small)
        return float(total - true), sigmoids - labels

    def _scores(self, logits: np.ndarray) -> np.ndarray:
        if self._is_single_label:
            return special.softmax(logits, axis=1)
        # Logits are ranked as well, and those far out are not made equal.
        return logits
