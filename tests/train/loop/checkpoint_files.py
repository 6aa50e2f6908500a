"""Name-based checkpoints, as TensorFlow 1 leaves them behind."""

import pathlib

import numpy as np
import tensorflow as tf


def random_checkpoint(
    window: int, features: int, sources: int, blocks: int
) -> dict[str, np.ndarray]:
    """Name -> float32 array of a TDCN++ with a learned basis."""
    rng = np.random.default_rng(0)
    bottleneck, conv_channels = 9, 14

    def matrix(*shape):
        return rng.normal(0, 1 / np.sqrt(shape[0]), shape)

    def scalar(low, high, shape=()):
        return rng.uniform(low, high, shape)

    arrays = {
        "conv_encoder/dense/kernel": matrix(window, features),
        "conv_decoder/dense_1/kernel": matrix(features, window),
        "initial_dense/dense/kernel": matrix(features, bottleneck),
        "initial_dense/dense/bias": matrix(bottleneck),
        "initial_dense/dense_scale/scale_layer": scalar(0.6, 1.4),
        "dense/kernel": matrix(bottleneck, sources * features),
        "mix_weights/dense/kernel": matrix(bottleneck, sources),
    }
    for b in range(blocks):
        scope = f"improved_tdcn/conv_block_{b}/tdcn_block"
        arrays |= {
            f"{scope}/dense1/dense/kernel": matrix(bottleneck, conv_channels),
            f"{scope}/dense1/dense_scale/scale_layer": scalar(0.6, 1.4),
            f"{scope}/timeconv/separable_conv/depthwise_kernel": matrix(
                3, 1, conv_channels, 1
            ),
            f"{scope}/timeconv/separable_conv/bias": matrix(conv_channels),
            f"{scope}/dense2/dense/kernel": matrix(conv_channels, bottleneck),
            f"{scope}/dense2/dense_scale/scale_layer": scalar(0.3, 1.0),
        }
        for part in ("normact1", "normact2"):
            norm = f"{scope}/{part}/instance_norm"
            arrays[f"{scope}/{part}/prelu/prelu"] = scalar(0.05, 0.45)
            arrays[f"{norm}/gamma"] = scalar(0.6, 1.4, (1,))
            arrays[f"{norm}/beta"] = scalar(-0.3, 0.3, (1,))
    return {name: np.float32(value) for name, value in arrays.items()}


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
