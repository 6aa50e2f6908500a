"""Projection of estimates so that they add up to the mixture."""

from keras import ops

KINDS = ("none", "uniform", "magsq")

# Added to the mean power of every estimate, so that silence everywhere
# gives equal weights and not zero over zero.
_POWER_FLOOR = 1e-8


def mixture_consistency(
    mixture, estimates, kind: str = "uniform", weights=None
):
    """Spreads what the estimates miss of the mixture over the estimates.

    estimate_j + weight_j * (mixture - sum of estimates), from Wisdom et al.,
    "Differentiable Consistency Constraints for Improved Deep Speech
    Enhancement" (ICASSP 2019). Gradients flow through the weights.

    Args:
        mixture: (batch, ..., samples).
        estimates: (batch, channels, ..., samples).
        kind: "uniform", one over the number of channels; "magsq",
            proportional to an estimate's mean power; "none", the estimates
            as they are.
        weights: Optional explicit weights, broadcastable to `estimates`.
            They win over `kind` and are used as given: unless they sum to
            one over the channels, the result does not sum to the mixture.

    Returns:
        (batch, channels, ..., samples).

    Raises:
        ValueError: For an unknown kind.
    """
    if weights is None:
        if kind not in KINDS:
            raise ValueError(
                f"kind must be one of {KINDS}, or weights must be given. "
                f"Received: kind={kind!r}"
            )
        if kind == "none":
            return estimates
        if kind == "uniform":
            weights = 1.0 / estimates.shape[1]
        else:
            # Shares of the sum of mean powers.
            inner_axes = tuple(range(2, len(estimates.shape)))
            power = _POWER_FLOOR + ops.mean(
                ops.square(estimates), axis=inner_axes, keepdims=True
            )  # (batch, channels, ..., 1)
            weights = power / ops.sum(power, axis=1, keepdims=True)
    missing = mixture - ops.sum(estimates, axis=1)  # (batch, ..., samples)
    return estimates + weights * ops.expand_dims(missing, 1)
