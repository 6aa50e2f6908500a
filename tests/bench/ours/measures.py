"""Evaluation on random figures: metrics, query by example, search."""

import numpy as np

from evaluate.similarity.nearest_neighbors import Collection
from evaluate.similarity.query_by_example import query_by_example
from models.metrics import ranking
from models.metrics.average_precision import precision_area
from models.metrics.roc import roc_area
from tests.bench.work import Work


def tagging(classes: int, clips: int) -> Work:
    """AP and AUC of each class; a hundredth of the labels is set."""
    random = np.random.default_rng(0)
    labels = (random.random((clips, classes)) < 0.01).astype("u1")
    scores = random.normal(labels, 1.0).astype("f4")

    def turn():
        ap, auc = ranking.of_classes(labels, scores, precision_area, roc_area)
        return {"AP": ap, "AUC": auc}

    return Work(turn, given={"labels": labels, "scores": scores})


def by_example(classes: int, clips: int) -> Work:
    """AP of 100 clips with each class and 100 without it."""
    random = np.random.default_rng(0)
    labels = (random.random((clips, classes)) < 0.02).astype("u1")
    embeddings = random.normal(size=(clips, 128)).astype("f4")

    def turn():
        return {"AP": query_by_example(embeddings, labels)}

    return Work(turn, given={"labels": labels, "embeddings": embeddings})


def search(records: int) -> Work:
    """The ten nearest of a collection that is held ready."""
    random = np.random.default_rng(0)
    collection = random.standard_normal((records, 128), dtype="f4")
    query = random.standard_normal((1, 128), dtype="f4")

    held = Collection(collection)

    def turn():
        return {"indices": held.nearest(query, 10)[0]}

    return Work(turn, given={"collection": collection, "query": query})
