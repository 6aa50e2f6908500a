"""Published PANNs weights, by name, into our layers."""

from collections.abc import Mapping

import numpy as np

from models.cnn14.cnn14 import CNN14
from models.heads.linear_classifier import LinearClassifier

_CLASSIFIER = "fc_audioset."
# Not weights: the front end's constants, and counters of batches seen.
_EXTRACTORS = ("spectrogram_extractor.", "logmel_extractor.")
_COUNTER = ".num_batches_tracked"


def load_panns_weights(
    encoder: CNN14,
    arrays: Mapping[str, np.ndarray],
    classifier: LinearClassifier | None = None,
) -> None:
    """Copies the arrays of a PANNs `Cnn14` state dict.

    A bottleneck, which PANNs has not, keeps its values. Constants of the
    front end and counters are ignored.

    Args:
      encoder: a CNN14 of the same width. It and the classifier are left
        untouched when an error is raised.
      arrays: name in the state dict -> array in PyTorch's layout.
      classifier: takes `fc_audioset`; None ignores it.

    Raises:
      ValueError: an array is missing, has another shape, or belongs to a part
        that the encoder lacks; names it and both shapes.
    """
    variables = _variables_by_name(encoder, classifier)
    for name, variable in variables.items():
        wanted = _shape_in_pytorch(variable)
        if name not in arrays:
            raise ValueError(
                f"the PANNs weights lack {name}; the network has it with "
                f"shape {wanted}"
            )
        found = np.shape(arrays[name])
        if found != wanted:
            raise ValueError(
                f"{name} has shape {found} in the PANNs weights, {wanted} in "
                "the network"
            )
    for name in sorted(set(arrays) - set(variables)):
        ignored = name.startswith(_EXTRACTORS) or name.endswith(_COUNTER)
        if classifier is None:
            ignored |= name.startswith(_CLASSIFIER)
        if not ignored:
            raise ValueError(
                f"the network has no {name}; the PANNs weights have it with "
                f"shape {np.shape(arrays[name])}"
            )
    for name, variable in variables.items():
        variable.assign(_to_keras_layout(np.asarray(arrays[name])))


def _variables_by_name(
    encoder: CNN14, classifier: LinearClassifier | None
) -> dict:
    batch_norms = {"bn0": encoder.bn0}
    variables = {}
    for block in encoder.blocks:
        for number in (1, 2):
            batch_norms[f"{block.name}.bn{number}"] = getattr(
                block, f"bn{number}"
            )
            variables[f"{block.name}.conv{number}.weight"] = getattr(
                block, f"conv{number}"
            ).kernel
    for name, layer in batch_norms.items():
        variables[f"{name}.weight"] = layer.gamma
        variables[f"{name}.bias"] = layer.beta
        variables[f"{name}.running_mean"] = layer.moving_mean
        variables[f"{name}.running_var"] = layer.moving_variance
    if encoder.fc1 is not None:
        variables["fc1.weight"] = encoder.fc1.kernel
        variables["fc1.bias"] = encoder.fc1.bias
    if classifier is not None:
        variables[f"{_CLASSIFIER}weight"] = classifier.logits.kernel
        variables[f"{_CLASSIFIER}bias"] = classifier.logits.bias
    return variables


def _to_keras_layout(value: np.ndarray) -> np.ndarray:
    if value.ndim == 4:  # (out, in, time, mel) -> (time, mel, in, out)
        return value.transpose(2, 3, 1, 0)
    return value.T  # Dense (out, in) -> (in, out); vectors stay.


def _shape_in_pytorch(variable) -> tuple[int, ...]:
    shape = tuple(variable.shape)
    if len(shape) == 4:
        return (shape[3], shape[2], shape[0], shape[1])
    return shape[::-1]
