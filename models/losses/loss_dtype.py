"""The precision of a loss."""

import keras


def loss_dtype(*inputs) -> str:
    """ "float64" where an input has it, and "float32" otherwise.

    Sums over a batch or over time need float32 under any policy; double
    precision is kept for numeric checks.

    Args:
      *inputs: tensors, arrays or None.
    """
    dtypes = {
        keras.backend.standardize_dtype(x.dtype)
        for x in inputs
        if x is not None
    }
    return "float64" if "float64" in dtypes else "float32"
