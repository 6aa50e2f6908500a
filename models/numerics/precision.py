"""The float types of what a reduced precision would spoil."""

import keras


def wide_dtype() -> str:
    """float32 under any policy but float64, and float64 there.

    For magnitudes, logarithms, embeddings and whatever enters a loss. Under
    float64 nothing of a network is rounded to less, so that two ways to one
    result can be told from two results. For constructors: Keras knows the
    policy of a thread only, and replicas are called in threads of their own.
    """
    policy = keras.config.dtype_policy()
    return "float64" if policy.compute_dtype == "float64" else "float32"


def loss_dtype(*inputs) -> str:
    """float64 where an input has it, and float32 otherwise.

    Sums over a batch or over time need float32 under any policy; double
    precision is kept for numeric checks.

    Args:
      *inputs: tensors, arrays or None.
    """
    dtypes = [x.dtype for x in inputs if x is not None]
    return keras.backend.result_type("float32", *dtypes)
