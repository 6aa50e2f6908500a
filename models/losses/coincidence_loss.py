"""Coincidence prediction: binary cross entropy over all pairs of a batch."""

from keras import ops

from models.numerics.precision import loss_dtype


def coincidence_loss(logits, offset=0):
    """BCE whose positives and negatives are averaged apart.

    Each first view has one positive and N - 1 negatives; averaged together
    the negatives would drown the positives (Jansen et al., ICASSP 2020).

    Args:
      logits: (n, N) of local first views against all second views, N at least
        2; the pair of row i is column offset + i.
      offset: row of the global batch at which the local one starts.

    Returns:
      loss: (n,) cross entropy of the positive plus the mean over the
        negatives.
      accuracy: (n,) the same balance of shares that are classified right.
    """
    dtype = loss_dtype(logits)
    logits = ops.cast(logits, dtype)
    num_all = ops.shape(logits)[1]
    own = offset + ops.arange(ops.shape(logits)[0])
    is_own = ops.expand_dims(own, 1) == ops.arange(num_all)  # (n, N)
    num_negatives = ops.cast(num_all - 1, dtype)

    def mean_of_negatives(values):
        return ops.sum(ops.where(is_own, 0.0, values), axis=1) / num_negatives

    positive = ops.sum(ops.where(is_own, logits, 0.0), axis=1)
    loss = ops.softplus(-positive) + mean_of_negatives(ops.softplus(logits))
    right = ops.cast(positive > 0, dtype)
    wrong = mean_of_negatives(ops.cast(logits > 0, dtype))
    return loss, (right + 1 - wrong) / 2
