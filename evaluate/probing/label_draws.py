"""A few of the labeled clips, as if no more had been labeled."""

import numpy as np


def draw(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Clips of a share of the training split, ascending.

    Clips are taken in an order drawn by the seed. First each class, from the
    rarest up, that has none yet gets its first clip; then the others follow
    until the share is reached. So a share that is smaller than the number of
    classes is exceeded, rather than that a class has no clip.

    Args:
      labels: (n, C), multi-hot.
      fraction: of the clips, in (0, 1].
      seed: of the order.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    chosen = np.zeros(len(labels), bool)
    counts = np.count_nonzero(labels, axis=0)
    for number in np.argsort(counts, kind="stable"):
        having = order[labels[order, number] != 0]
        if having.size and not chosen[having].any():
            chosen[having[0]] = True
    missing = max(0, round(fraction * len(labels)) - np.count_nonzero(chosen))
    rest = order[~chosen[order]]
    chosen[rest[:missing]] = True
    return np.flatnonzero(chosen)
