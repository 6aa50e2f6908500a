"""Name-based checkpoints, as TensorFlow 1 leaves them behind."""

import pathlib

import numpy as np
import tensorflow as tf


def write_checkpoint(
    prefix: pathlib.Path, arrays: dict[str, np.ndarray]
) -> pathlib.Path:
    """Writes `arrays` with slots of Adam, which are NaN, and counters."""
    tensors = {"beta1_power": np.float32(0.9), **arrays}
    for name, value in arrays.items():
        slot = np.full(np.shape(value), np.nan, np.float32)
        tensors |= {f"{name}/Adam": slot, f"{name}/Adam_1": slot}
    tensors["global_step"] = np.int64(12345)
    prefix.parent.mkdir(parents=True, exist_ok=True)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=[tf.constant(value) for value in tensors.values()],
    )
    return prefix


def files_of(prefix: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """Index and data."""
    index, data = (
        prefix.with_name(prefix.name + suffix)
        for suffix in (".index", ".data-00000-of-00001")
    )
    assert index.exists() and data.exists()
    return index, data
