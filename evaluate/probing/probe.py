"""The probe: classifiers on the frozen embeddings of a training split."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from evaluate.probing import label_draws, model_selection
from evaluate.probing.linear_classifier import LinearClassifier, LinearSettings
from evaluate.probing.shallow_classifier import (
    ShallowClassifier,
    ShallowSettings,
)

SHALLOW, LINEAR = "shallow", "linear"

# Our choice, the same for every representation and every size of data.
GRIDS = {
    SHALLOW: [
        ShallowSettings(*values)
        for values in itertools.product(
            (False, True), (64, 512), (0.1, 10.0), (5, 10, 20, 40)
        )
    ],
    LINEAR: [LinearSettings(C) for C in (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)],
}
_FEW_CLIPS = 2000
_MAKERS: dict[str, Callable] = {
    SHALLOW: ShallowClassifier,
    # Nothing is random there.
    LINEAR: lambda is_single_label, seed: LinearClassifier(is_single_label),
}


class Probed(NamedTuple):
    """What a classifier says of the clips held out.

    Attributes:
      scores: (n, C) float32, the higher the likelier.
      settings: what was chosen.
      clips: how many it was trained on.
    """

    scores: np.ndarray
    settings: dict[str, float]
    clips: int


def probe(
    classifier: str,
    is_single_label: bool,
    train: np.ndarray,
    labels: np.ndarray,
    recordings: np.ndarray,
    held_out: np.ndarray,
    fraction: float,
    seed: int,
) -> Probed:
    """Draws labeled clips, chooses settings on them, trains and scores.

    Args:
      classifier: `SHALLOW` or `LINEAR`.
      is_single_label: whether every clip has one label.
      train: clip embeddings (m, d) of the training split.
      labels: theirs (m, C), multi-hot.
      recordings: theirs (m,), numbers from 0.
      held_out: clip embeddings (n, d) to score.
      fraction: share of the training clips whose labels are used.
      seed: of the draw, the folds and the classifier.
    """
    drawn = label_draws.draw(labels, fraction, seed)
    train, labels = train[drawn], labels[drawn]
    recordings = np.unique(recordings[drawn], return_inverse=True)[1]
    model = _MAKERS[classifier](is_single_label, seed)
    # Threads that wait for each other take longer than products of few rows.
    with threadpool_limits(1 if len(train) < _FEW_CLIPS else None, "blas"):
        chosen = model_selection.choose(
            model, GRIDS[classifier], train, labels, recordings, seed
        )
        [(settings, scores)] = model_selection.standardised_scores(
            model, [chosen], train, labels, held_out
        )
    return Probed(scores.astype(np.float32), settings._asdict(), len(drawn))
