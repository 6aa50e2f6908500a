"""Published PANNs weights, by name, into our layers."""

from collections.abc import Mapping

import numpy as np

from models.cnn14.cnn14 import CNN14
from models.heads.linear_classifier import LinearClassifier

# Not weights: the front end's constants, and counters of batches seen.
_EXTRACTORS = ("spectrogram_extractor.", "logmel_extractor.")
_COUNTER = ".num_batches_tracked"


def load_panns_weights(
    encoder: CNN14,
    arrays: Mapping[str, np.ndarray],
    classifier: LinearClassifier,
) -> None:
    """Copies the arrays of a PANNs `Cnn14` state dict.

    A bottleneck, which PANNs has not, keeps its values. Constants of the
    front end and counters are ignored.

    Args:
      encoder: a CNN14 of the same width. It and the classifier are left
        untouched when an error is raised.
      arrays: name in the state dict -> array in PyTorch's layout.
      classifier: takes `fc_audioset`.

    Raises:
      ValueError: an array is missing, has another shape, or belongs to a part
        that the encoder lacks; names it and both shapes.
    """
    variables = _variables_by_name(encoder, classifier)
    ours = {name: _shape_in_pytorch(v) for name, v in variables.items()}
    theirs = {
        name: np.shape(arrays[name])
        for name in sorted(arrays)
        if not name.startswith(_EXTRACTORS) and not name.endswith(_COUNTER)
    }
    for name in (*ours, *theirs):
        if ours.get(name) != theirs.get(name):
            raise ValueError(
                f"{name} has shape {theirs.get(name, '(absent)')} in the PANNs "
                f"weights, {ours.get(name, '(absent)')} in the network"
            )
    for name, variable in variables.items():
        value = np.asarray(arrays[name])
        # Convolutions are (out, in, time, mel), dense layers (out, in).
        order = (2, 3, 1, 0) if value.ndim == 4 else None
        variable.assign(value.transpose(order))


def _variables_by_name(encoder: CNN14, classifier: LinearClassifier) -> dict:
    batch_norms = {"bn0": encoder.bn0}
    variables = {}
    for block in encoder.blocks:
        batch_norms[f"{block.name}.bn1"] = block.bn1
        batch_norms[f"{block.name}.bn2"] = block.bn2
        variables[f"{block.name}.conv1.weight"] = block.conv1.kernel
        variables[f"{block.name}.conv2.weight"] = block.conv2.kernel
    for name, layer in batch_norms.items():
        variables[f"{name}.weight"] = layer.gamma
        variables[f"{name}.bias"] = layer.beta
        variables[f"{name}.running_mean"] = layer.moving_mean
        variables[f"{name}.running_var"] = layer.moving_variance
    if encoder.fc1 is not None:
        variables["fc1.weight"] = encoder.fc1.kernel
        variables["fc1.bias"] = encoder.fc1.bias
    variables["fc_audioset.weight"] = classifier.logits.kernel
    variables["fc_audioset.bias"] = classifier.logits.bias
    return variables


def _shape_in_pytorch(variable) -> tuple[int, ...]:
    shape = tuple(variable.shape)
    if len(shape) == 4:
        return (shape[3], shape[2], shape[0], shape[1])
    return shape[::-1]
