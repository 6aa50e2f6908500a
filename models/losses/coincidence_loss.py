"""Coincidence prediction: binary cross entropy over all pairs of a batch."""

from keras import ops


def coincidence_loss(logits, offset=0):
    """BCE whose positives and negatives are averaged apart.

    Each first view has one positive and N - 1 negatives; averaged together
    the negatives would drown the positives (Jansen et al., ICASSP 2020).

    Args:
      logits: (n, N) of local first views against all second views; the pair
        of row i is column offset + i.
      offset: row of the global batch at which the local one starts.

    Returns:
      loss: (n,) cross entropy of the positive plus the mean over the
        negatives.
      accuracy: (n,) the same balance of shares that are classified right.

    Raises:
      ValueError: N is known and below 2: there is no negative.
    """
    if logits.shape[1] is not None and logits.shape[1] < 2:
        raise ValueError(
            "coincidence needs at least 2 clips in the batch, for a negative. "
            f"Received: logits of shape {tuple(logits.shape)}"
        )
    logits = ops.cast(logits, "float32")
    num_all = ops.shape(logits)[1]
    own = offset + ops.arange(ops.shape(logits)[0])
    is_positive = ops.one_hot(own, num_all, dtype="float32")
    negatives = ops.cast(num_all - 1, "float32")

    def balanced(of_positive, of_negative):
        return (
            ops.sum(of_positive * is_positive, axis=1)
            + ops.sum(of_negative * (1 - is_positive), axis=1) / negatives
        )

    loss = balanced(ops.softplus(-logits), ops.softplus(logits))
    right = ops.cast(logits > 0, "float32")
    return loss, balanced(right, 1 - right) / 2
