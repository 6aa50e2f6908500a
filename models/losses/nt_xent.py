"""Similarity maximisation: the NT-Xent loss."""

from keras import ops

# Leaves an anchor out of its own softmax.
_MASKED = -1e9


def nt_xent(z_a, z_b, temperature, all_z_a=None, all_z_b=None, offset=0):
    """Normalised temperature-scaled cross entropy (SimCLR, ICML 2020).

    Row i of view a and row i of view b are a positive pair; the other 2N - 2
    rows of both views are its negatives. Computed in float32.

    Args:
      z_a: (n, p) projections of the first views, not normalised.
      z_b: (n, p) projections of the second views.
      temperature: scalar, divides the cosine similarities.
      all_z_a: (N, p) the global batch, when it is larger than the local one.
      all_z_b: (N, p) likewise.
      offset: row of the global batch at which the local one starts.

    Returns:
      loss: (n,) mean of a pair's two anchors; its mean over the global batch
        is the usual mean over 2N anchors.
      correct: (n,) share of a pair's two anchors whose positive is the most
        similar of the 2N - 1 rows.
    """
    z_a, z_b = unit_norm(z_a), unit_norm(z_b)
    all_z_a = z_a if all_z_a is None else unit_norm(all_z_a)
    all_z_b = z_b if all_z_b is None else unit_norm(all_z_b)
    own = offset + ops.arange(ops.shape(z_a)[0])
    loss_a, correct_a = _one_view(z_a, all_z_b, all_z_a, own, temperature)
    loss_b, correct_b = _one_view(z_b, all_z_a, all_z_b, own, temperature)
    return (loss_a + loss_b) / 2, (correct_a + correct_b) / 2


def unit_norm(z):
    """Rows scaled to norm 1 in float32; a zero row stays zero."""
    z = ops.cast(z, "float32")
    squared = ops.sum(z * z, axis=-1, keepdims=True)
    return z * ops.rsqrt(ops.maximum(squared, 1e-12))


def _one_view(anchors, other_view, same_view, own, temperature):
    across = ops.matmul(anchors, ops.transpose(other_view)) / temperature
    within = ops.matmul(anchors, ops.transpose(same_view)) / temperature
    is_own = ops.one_hot(own, ops.shape(same_view)[0], dtype="float32")
    positive = ops.sum(across * is_own, axis=1)
    logits = ops.concatenate([across, within + _MASKED * is_own], axis=1)
    loss = ops.logsumexp(logits, axis=1) - positive
    correct = ops.cast(positive >= ops.max(logits, axis=1), "float32")
    return loss, correct
