"""Labels, and the scores of two models that are equally good."""

import numpy as np

from evaluate.uncertainty import influence
from evaluate.uncertainty.influence import Influence


def simulate(
    seed: int,
    clips: int,
    classes: int,
    is_single_label: bool,
    of_recording: int = 1,
    strength: float = 2.5,
    difference: float = 0.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels (n, C) bool, scores of A and of B (n, C), recordings (n,).

    Scores are normal, moved by `strength` where a clip has the class, by
    `difference` less in B, and alike in clips of one recording. B's are on
    another scale.
    """
    random = np.random.default_rng([seed, 1])
    groups = clips // of_recording
    recordings = np.repeat(np.arange(groups), of_recording)
    if is_single_label:
        labels = np.eye(classes, dtype=bool)[
            random.integers(0, classes, groups)
        ]
    else:
        labels = random.random((groups, classes)) < np.linspace(
            0.04, 0.3, classes
        )
    labels = labels[recordings]

    def noise():
        own = random.normal(size=(clips, classes))
        if of_recording == 1:
            return own
        shared = random.normal(size=(groups, classes))[recordings]
        return (own + shared) / np.sqrt(2)

    common = noise()
    a, b = ((common + noise()) / np.sqrt(2) for _ in "ab")
    b = np.exp(b + (strength - difference) * labels)
    return labels, a + strength * labels, b, recordings


def mean_ap(labels: np.ndarray, scores: np.ndarray) -> Influence:
    """mAP, and what it owes to each clip."""
    return influence.mean(
        [
            influence.of_average_precision(labels[:, k], scores[:, k])
            for k in np.flatnonzero(labels.any(axis=0))
        ]
    )
