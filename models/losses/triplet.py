"""Triplet margin loss with semi-hard negatives of the batch."""

from keras import ops

from models.numerics.precision import loss_dtype
from models.numerics.unit_norm import unit_norm


def triplet_loss(h_a, h_p, margin, all_h_p=None, offset=0):
    """relu(|a - p|^2 - |a - n|^2 + margin) of embeddings scaled to norm 1.

    Jansen et al., "Unsupervised Learning of Semantic Audio Representations"
    (ICASSP 2018). The negative of an anchor is semi-hard: of the other
    clips' positives, the closest that is farther than its own; where none is
    farther, the farthest (candidates and the latter: our choice).

    Args:
      h_a: (n, d) embeddings of the anchors, not normalised.
      h_p: (n, d) of their positives.
      margin: squared distance by which the negative is to be farther.
      all_h_p: (N, d) the global batch, when it is larger than the local one;
        of at least 2 clips.
      offset: row of the global batch at which the local one starts.

    Returns:
      loss: (n,).
      active: (n,) 1 where the loss is above 0.
    """
    dtype = loss_dtype(h_a, h_p, all_h_p)
    a, p = (unit_norm(ops.cast(h, dtype)) for h in (h_a, h_p))
    all_p = p if all_h_p is None else unit_norm(ops.cast(all_h_p, dtype))
    to_positive = ops.sum(ops.square(a - p), axis=1)
    own = offset + ops.arange(ops.shape(a)[0])
    negative = _semi_hard(*map(ops.stop_gradient, (a, all_p, to_positive)), own)
    # From the difference: products cancel for close embeddings.
    n = ops.take(all_p, negative, axis=0)
    to_negative = ops.sum(ops.square(a - n), axis=1)
    loss = ops.relu(to_positive - to_negative + margin)
    return loss, ops.cast(loss > 0, dtype)


def _semi_hard(a, all_p, to_positive, own):
    """Row of each anchor's negative among all positives: (n,)."""
    squares = ops.sum(ops.square(all_p), axis=1)
    # |a - p|^2 less |a|^2: (n, N)
    distances = squares - 2 * ops.matmul(a, ops.transpose(all_p))
    limit = to_positive - ops.sum(ops.square(a), axis=1)
    is_own = ops.expand_dims(own, 1) == ops.arange(ops.shape(all_p)[0])
    farther = distances > ops.expand_dims(limit, 1)
    farther = ops.logical_and(farther, ops.logical_not(is_own))
    # Squared distances of rows of norm 1 are at most 4.
    closest = ops.argmin(ops.where(farther, distances, 5.0), axis=1)
    farthest = ops.argmax(ops.where(is_own, -5.0, distances), axis=1)
    return ops.where(ops.any(farther, axis=1), closest, farthest)
