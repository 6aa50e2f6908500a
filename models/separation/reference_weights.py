"""Weights of google-research/sound-separation checkpoints, by name.

Written from the variable names and shapes in checkpoints of the
neurips2020_mixit model (commit 678e7375dfb2, Apache-2.0).
"""

import re
from collections.abc import Mapping

import keras
import numpy as np

from models.separation.mixture_consistency import KINDS
from models.separation.separator import Separator

_ENCODER = "conv_encoder/dense/kernel"
_MIX_WEIGHTS = "mix_weights/dense/kernel"
_MODEL_VARIABLE = re.compile(
    "(conv_encoder|layer_norm_on_mag|initial_dense|improved_tdcn|dense|"
    "conv_decoder|mix_weights)/(.*/)?"
    "(kernel|bias|scale_layer|prelu|gamma|beta|depthwise_kernel)"
)


def is_model_variable(name: str) -> bool:
    """Tells variables of the network from slots such as NAME/Adam_1."""
    return _MODEL_VARIABLE.fullmatch(name) is not None


def load_reference_weights(
    separator: Separator, arrays: Mapping[str, np.ndarray]
) -> None:
    """Copies the arrays of a reference checkpoint into a separator.

    Optimizer slots, averages and counters in the checkpoint are ignored.

    Args:
        separator: A separator of the same architecture. It is left
            untouched when an error is raised.
        arrays: Variable name -> value, with the names of the checkpoint.

    Raises:
        ValueError: When a variable is absent, has another shape than the
            separator's, or belongs to a part that the separator lacks; the
            message names it and both shapes.
    """
    variables = variables_by_reference_name(separator)
    for name in (*variables, *filter(is_model_variable, sorted(arrays))):
        ours = variables[name].shape if name in variables else None
        theirs = np.shape(arrays[name]) if name in arrays else None
        if _without_ones(ours) != _without_ones(theirs):
            raise ValueError(
                f"The checkpoint does not fit the separator at {name}: the "
                f"separator has {_shown(ours)}, the checkpoint "
                f"{_shown(theirs)}. Both must be a TDCN++ as in "
                "models/neurips2020_mixit, of the same sizes."
            )
    for name, variable in variables.items():
        # Same values in the same order; only axes of size one differ.
        variable.assign(np.reshape(arrays[name], variable.shape))


def separator_from_reference(
    arrays: Mapping[str, np.ndarray],
    sample_rate_hz: int = 16000,
    num_dilations: int = 8,
    consistency: str | None = None,
    window_s: float | None = None,
    hop_s: float | None = None,
) -> Separator:
    """Builds the separator that a reference checkpoint belongs to.

    Sizes are read from the shapes. Not in a checkpoint, and so assumed or
    given: the rate; window and hop in seconds, which are rounded to samples
    at that rate; the dilations; and a consistency without weights. The
    window is checked against the shapes, the hop cannot be.

    Args:
        arrays: Variable name -> value, with the names of the checkpoint.
        num_dilations: Blocks in a repeat.
        consistency: Kind of mixture consistency. None where the checkpoint
            has the weights of "predicted"; needed where it has not.
        window_s: Window in seconds; None for the reference's 0.0025
            (learned basis) or 0.032 (STFT).
        hop_s: Distance between frames in seconds; None for 0.00125 (learned
            basis) or 0.008 (STFT).

    Returns:
        A separator that holds the weights.

    Raises:
        ValueError: When the arrays lack a variable that gives a size, when
            `num_dilations` does not divide the number of blocks, when the
            window does not fit the shapes, when the consistency is not that
            of the checkpoint or not known, or when the arrays do not fit
            together.
    """
    num_features, bottleneck = _shape_of(
        arrays, "initial_dense/dense/kernel", 2
    )
    num_blocks = len(
        {name.split("/")[1] for name in arrays if "/conv_block_" in name}
    )
    if num_blocks == 0 or num_blocks % num_dilations != 0:
        raise ValueError(
            "num_dilations must divide the number of blocks in the "
            f"checkpoint. Received: num_dilations={num_dilations} for "
            f"{num_blocks} blocks"
        )
    kernel_size, _, conv_channels, _ = _shape_of(
        arrays,
        "improved_tdcn/conv_block_0/tdcn_block/timeconv/separable_conv/"
        "depthwise_kernel",
        4,
    )
    mask_width = _shape_of(arrays, "dense/kernel", 2)[1]
    separator = Separator(
        # At least 1: the check of all shapes tells of a width that is none.
        num_sources=max(1, mask_width // num_features),
        sample_rate_hz=sample_rate_hz,
        basis="learned" if _ENCODER in arrays else "stft",
        window_s=window_s,
        hop_s=hop_s,
        num_coefficients=num_features,
        bottleneck=bottleneck,
        conv_channels=conv_channels,
        num_dilations=num_dilations,
        num_repeats=num_blocks // num_dilations,
        kernel_size=kernel_size,
        consistency=_consistency_of(arrays, consistency),
    )
    _check_window(separator, arrays)
    load_reference_weights(separator, arrays)
    return separator


def _shape_of(arrays, name, rank):
    shape = np.shape(arrays[name]) if name in arrays else None
    if shape is None or len(shape) != rank:
        raise ValueError(
            f"The checkpoint has {_shown(shape)} at {name}, where {rank} axes "
            "give sizes of the separator. Is this a checkpoint of the "
            "sound-separation TDCN++?"
        )
    return shape


def _consistency_of(arrays, given):
    if _MIX_WEIGHTS in arrays:
        if given not in (None, "predicted"):
            raise ValueError(
                f"{_MIX_WEIGHTS} is in the checkpoint, which makes its "
                f"consistency 'predicted'; leave it out. Received: "
                f"consistency={given!r}"
            )
        return "predicted"
    if given not in KINDS:
        raise ValueError(
            f"{_MIX_WEIGHTS} is not in the checkpoint, which so cannot tell "
            "how its channels are made to sum to the mixture: consistency "
            f"must be one of {KINDS}. Received: consistency={given!r}"
        )
    return given


def _check_window(separator, arrays):
    """Compares the window in seconds with the shapes."""
    transform = separator.transform
    if separator.basis == "learned":
        name, unit = _ENCODER, "samples a window"
        expected = transform.window_samples
    else:
        name, unit = "initial_dense/dense/kernel", "bins"
        expected = transform.num_coefficients
    found = _shape_of(arrays, name, 2)[0]
    if found != expected:
        raise ValueError(
            f"{name} has {found} {unit}, but sample_rate_hz="
            f"{separator.sample_rate_hz} and window_s="
            f"{separator.window_s or 'default'} give {expected} (a window of "
            f"{transform.window_samples} samples): name the rate of the "
            "checkpoint, or its window_s and hop_s"
        )


def _without_ones(shape):
    return None if shape is None else [size for size in shape if size != 1]


def _shown(shape):
    return "no such variable" if shape is None else f"shape {shape}"


def variables_by_reference_name(
    separator: Separator,
) -> dict[str, keras.Variable]:
    """Our variables by their names in the reference."""
    transform, tdcn = separator.transform, separator.tdcn
    if separator.basis == "learned":
        variables = {
            _ENCODER: transform.encoder.kernel,
            "conv_decoder/dense_1/kernel": transform.decoder.kernel,
        }
    else:
        variables = {
            "layer_norm_on_mag/gamma": transform.magnitude_norm.gain,
            "layer_norm_on_mag/beta": transform.magnitude_norm.offset,
        }
    variables |= {
        "initial_dense/dense/kernel": tdcn.initial_dense.kernel,
        "initial_dense/dense/bias": tdcn.initial_dense.bias,
        "initial_dense/dense_scale/scale_layer": tdcn.initial_dense.scale,
    }
    for index, block in enumerate(tdcn.blocks):
        scope = f"improved_tdcn/conv_block_{index}/tdcn_block"
        conv = f"{scope}/timeconv/separable_conv"
        variables |= {
            f"{scope}/dense1/dense/kernel": block.expand.kernel,
            f"{scope}/dense1/dense_scale/scale_layer": block.expand.scale,
            f"{conv}/depthwise_kernel": block.convolution.kernel,
            f"{conv}/bias": block.convolution.bias,
            f"{scope}/dense2/dense/kernel": block.contract.kernel,
            f"{scope}/dense2/dense_scale/scale_layer": block.contract.scale,
        }
        for part, activation, norm in (
            ("normact1", block.activation_1, block.norm_1),
            ("normact2", block.activation_2, block.norm_2),
        ):
            variables |= {
                f"{scope}/{part}/prelu/prelu": activation.alpha,
                f"{scope}/{part}/instance_norm/gamma": norm.gain,
                f"{scope}/{part}/instance_norm/beta": norm.offset,
            }
    # The mask layer has the plainest name of all in the reference.
    variables["dense/kernel"] = separator.mask_head.kernel
    if separator.weight_head is not None:
        variables[_MIX_WEIGHTS] = separator.weight_head.kernel
    return variables
