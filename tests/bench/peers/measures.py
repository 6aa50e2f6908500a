"""Metrics by scikit-learn, and query by example with SciPy."""

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.metrics import average_precision_score, roc_auc_score

from tests.bench.work import Work


def tagging(given: dict, **_) -> Work:
    labels, scores = given["labels"], given["scores"]

    def turn():
        return {
            "AP": average_precision_score(labels, scores, average=None),
            "AUC": roc_auc_score(labels, scores, average=None),
        }

    return Work(turn)


def by_example(given: dict, **_) -> Work:
    """Draws as ours does, by NumPy's generator of (0, class)."""
    labels, embeddings = given["labels"], given["embeddings"]

    def of_class(number: int) -> float:
        has_class = labels[:, number] != 0
        random = np.random.default_rng([0, number])
        positives, negatives = (
            embeddings[_draw(np.flatnonzero(chosen), 100, random)]
            for chosen in (has_class, ~has_class)
        )
        upper = np.triu_indices(len(positives), k=1)
        matching = cdist(positives, positives, "cosine")[upper]
        other = cdist(positives, negatives, "cosine").ravel()
        relevant = np.repeat([1, 0], [len(matching), len(other)])
        distances = np.concatenate([matching, other])
        return average_precision_score(relevant, -distances)

    def turn():
        return {"AP": np.array([*map(of_class, range(labels.shape[1]))])}

    return Work(turn)


def _draw(clips, most: int, random):
    if len(clips) <= most:
        return clips
    return random.choice(clips, most, replace=False)
