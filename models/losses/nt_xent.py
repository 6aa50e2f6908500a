"""Similarity maximisation: the NT-Xent loss."""

from keras import ops

from models.numerics.precision import loss_dtype
from models.numerics.unit_norm import unit_norm

# Leaves a pair out of the negatives.
_MASKED = -1e9
# Cosines that differ by less are equal: rounding decides between them.
_TIE = 1e-6


def nt_xent(z_a, z_b, temperature, all_z_a=None, all_z_b=None, offset=0):
    """Normalised temperature-scaled cross entropy (SimCLR, ICML 2020).

    Row i of view a and row i of view b are a positive pair; the other 2N - 2
    rows of both views are its negatives. Memory is that of a few (n, N)
    matrices.

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
        similar of the 2N - 1 rows; with another as similar, it is wrong.
    """
    dtype = loss_dtype(z_a, z_b, all_z_a, all_z_b)
    z_a, z_b = (unit_norm(ops.cast(z, dtype)) for z in (z_a, z_b))
    all_z_a, all_z_b = (
        local if whole is None else unit_norm(ops.cast(whole, dtype))
        for local, whole in ((z_a, all_z_a), (z_b, all_z_b))
    )
    own = offset + ops.arange(ops.shape(z_a)[0])
    is_own = ops.expand_dims(own, 1) == ops.arange(ops.shape(all_z_a)[0])
    positive = ops.sum(z_a * z_b, axis=1) / temperature

    def one_view(anchors, other_view, same_view):
        anchors = anchors / temperature
        of_views = []  # Log of the sum, and the largest, over each view.
        for view in (other_view, same_view):
            logits = ops.matmul(anchors, ops.transpose(view))  # (n, N)
            logits = ops.where(is_own, _MASKED, logits)
            of_views.append((ops.logsumexp(logits, 1), ops.max(logits, 1)))
        (sum_other, max_other), (sum_same, max_same) = of_views
        # -log softmax of the positive, without cancelling for small losses.
        loss = ops.softplus(ops.logaddexp(sum_other, sum_same) - positive)
        lead = positive - ops.maximum(max_other, max_same)
        return loss, ops.cast(lead > _TIE / temperature, dtype)

    loss_a, correct_a = one_view(z_a, all_z_b, all_z_a)
    loss_b, correct_b = one_view(z_b, all_z_a, all_z_b)
    return (loss_a + loss_b) / 2, (correct_a + correct_b) / 2
