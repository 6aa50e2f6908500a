"""A 2-D map of clip embeddings, laid out for the page's SVG."""

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from evaluate.similarity.nearest_neighbors import unit_rows

WIDTH, HEIGHT, MARGIN = 760, 560, 24
NUM_COLORS = 15
# Fewer neighbors than this tell t-SNE little.
_MIN_CLIPS_TSNE = 30


@dataclasses.dataclass(frozen=True)
class Mark:
    """A clip in a WIDTH x HEIGHT view box: a pie of its classes' colors."""

    clip: int
    x: float
    y: float
    colors: tuple[int, ...]


def embedding_map(
    embeddings: np.ndarray,
    clips: Sequence[int],
    labels: Sequence[tuple[str, ...]],
    seed: int,
) -> tuple[str, list[Mark], list[tuple[str, int, int]]]:
    """Lays out one embedding.

    Args:
      embeddings: (n, d), finite.
      clips: n numbers that the page knows the clips by.
      labels: n tuples of class names.

    Returns:
      "t-SNE" or "PCA"; a mark for each clip; and the legend: class, its color
      (`NUM_COLORS` where they ran out) and its clips, most frequent first.
    """
    points, method = project(embeddings, seed)
    counts = collections.Counter(name for names in labels for name in names)
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    color = {name: min(i, NUM_COLORS) for i, name in enumerate(ranked)}
    center = (points.max(axis=0) + points.min(axis=0)) / 2
    spread = np.maximum(np.ptp(points, axis=0), 1e-12)
    room = np.array([WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN])
    # One scale for both axes: distances on the map stay comparable.
    places = (points - center) * (room / spread).min()
    places += np.array([WIDTH, HEIGHT]) / 2
    marks = [
        Mark(
            int(clip),
            round(float(x), 1),
            round(float(y), 1),
            tuple(color[name] for name in names) or (NUM_COLORS,),
        )
        for clip, (x, y), names in zip(clips, places, labels, strict=True)
    ]
    return method, marks, [(name, color[name], counts[name]) for name in ranked]


def project(embeddings: np.ndarray, seed: int) -> tuple[np.ndarray, str]:
    """(n, d) to (n, 2) and the name of the method.

    Embeddings are first brought to unit length, as in retrieval. t-SNE, or
    principal components where there are few clips, one dimension, or no
    difference.
    """
    unit = unit_rows(embeddings)
    few = len(unit) < _MIN_CLIPS_TSNE or unit.shape[1] < 2
    if few or np.ptp(unit, axis=0).max() < 1e-6:
        return _principal_components(unit), "PCA"
    perplexity = min(30.0, (len(unit) - 1) / 3)
    tsne = TSNE(init="pca", perplexity=perplexity, random_state=seed)
    # Turned so that the widest spread lies along the wider side of the map.
    return _principal_components(tsne.fit_transform(unit)), "t-SNE"


def _principal_components(vectors: np.ndarray) -> np.ndarray:
    """(n, d) to (n, 2)."""
    count = min(2, *vectors.shape)
    # Shares of a variance of 0 are not used here.
    with np.errstate(divide="ignore", invalid="ignore"):
        points = PCA(count, svd_solver="full").fit_transform(vectors)
    return np.pad(points, [[0, 0], [0, 2 - count]])
