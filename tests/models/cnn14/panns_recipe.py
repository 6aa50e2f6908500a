"""A PANNs state dict whose weights follow from their names.

The stored outputs were made with those of the published size.
"""

import zlib

import numpy as np


def state_dict(
    first_channels: int = 64, num_classes: int = 527
) -> dict[str, np.ndarray]:
    """Name -> array in PyTorch's layout, without front end and counters."""
    channels = [1] + [first_channels * 2**block for block in range(6)]
    last = channels[-1]
    shapes = {
        "fc1.weight": (last, last),
        "fc1.bias": (last,),
        "fc_audioset.weight": (num_classes, last),
        "fc_audioset.bias": (num_classes,),
    }
    norms = {"bn0": 64}
    for block in range(1, 7):
        for number in (1, 2):
            inputs = channels[block - 1] if number == 1 else channels[block]
            name = f"conv_block{block}"
            shapes[f"{name}.conv{number}.weight"] = (
                channels[block],
                inputs,
                3,
                3,
            )
            norms[f"{name}.bn{number}"] = channels[block]
    for name, size in norms.items():
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (size,)
    return {name: _array(name, shape) for name, shape in shapes.items()}


def _array(name: str, shape: tuple[int, ...]) -> np.ndarray:
    seed = zlib.crc32(f"{name}#shared".encode()) & 0x7FFFFFFF
    random = np.random.RandomState(seed)
    if ".conv" in name:
        scale = np.sqrt(2 / (shape[1] * 9))
        return random.normal(0, scale, shape).astype("float32")
    if name.startswith("fc") and name.endswith("weight"):
        return random.normal(0, np.sqrt(1 / shape[1]), shape).astype("float32")
    if name.endswith(("running_var", "weight")):
        return random.uniform(0.5, 1.5, shape).astype("float32")
    return random.normal(0, 0.1, shape).astype("float32")
