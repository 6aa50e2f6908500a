"""Published PANNs weights, by name, into our layers."""

from collections.abc import Mapping

import numpy as np

from models.cnn14.cnn14 import CNN14


def load_panns_weights(
    encoder: CNN14, arrays: Mapping[str, np.ndarray]
) -> None:
    """Copies the arrays of a PANNs `Cnn14` state dict into `encoder`.

    The bottleneck, which PANNs has not, keeps its values; what PANNs has and
    the encoder has not (front end, classifier) is ignored.

    Args:
      encoder: a CNN14 of width 1.
      arrays: name in the state dict -> array in PyTorch's layout.

    Raises:
      ValueError: an array is missing, or has another shape; names it and
        both shapes.
    """
    for name, variable in _variables_by_name(encoder).items():
        if name not in arrays:
            raise ValueError(f"the PANNs weights lack {name}")
        value = _to_keras_layout(np.asarray(arrays[name]))
        if value.shape != tuple(variable.shape):
            raise ValueError(
                f"{name} has shape {value.shape}, the encoder needs "
                f"{tuple(variable.shape)}"
            )
        variable.assign(value)


def _variables_by_name(encoder: CNN14) -> dict:
    batch_norms = {"bn0": encoder.bn0}
    kernels = {}
    for block in encoder.blocks:
        for number in (1, 2):
            batch_norms[f"{block.name}.bn{number}"] = getattr(
                block, f"bn{number}"
            )
            kernels[f"{block.name}.conv{number}.weight"] = getattr(
                block, f"conv{number}"
            ).kernel
    variables = dict(kernels)
    for name, layer in batch_norms.items():
        variables[f"{name}.weight"] = layer.gamma
        variables[f"{name}.bias"] = layer.beta
        variables[f"{name}.running_mean"] = layer.moving_mean
        variables[f"{name}.running_var"] = layer.moving_variance
    if encoder.fc1 is not None:
        variables["fc1.weight"] = encoder.fc1.kernel
        variables["fc1.bias"] = encoder.fc1.bias
    return variables


def _to_keras_layout(value: np.ndarray) -> np.ndarray:
    if value.ndim == 4:  # (out, in, time, mel) -> (time, mel, in, out)
        return value.transpose(2, 3, 1, 0)
    return value.T  # Dense (out, in) -> (in, out); vectors stay.
