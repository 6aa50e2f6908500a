"""Exact search by cosine, of a collection that stands ready."""

import faiss
import numpy as np
from usearch.index import MetricKind
from usearch.index import search as usearch_search

from tests.bench.work import Work

TOP = 10


def with_numpy(given: dict, **_) -> Work:
    """A product in float32, the largest, and their order."""
    collection, query = _units(given["collection"]), _units(given["query"])

    def turn():
        similarity = collection @ query[0]
        largest = np.argpartition(-similarity, TOP)[:TOP]
        largest = largest[np.argsort(-similarity[largest])]
        return {"indices": largest[None]}

    return Work(turn)


def with_faiss(given: dict, **_) -> Work:
    collection, query = _units(given["collection"]), _units(given["query"])
    index = faiss.IndexFlatIP(collection.shape[1])
    index.add(collection)

    def turn():
        return {"indices": index.search(query, TOP)[1]}

    return Work(turn)


def with_usearch(given: dict, **_) -> Work:
    collection, query = _units(given["collection"]), _units(given["query"])

    def turn():
        found = usearch_search(
            collection, query[0], TOP, MetricKind.IP, exact=True
        )
        return {"indices": found.keys[None].astype("i8")}

    return Work(turn)


def _units(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
