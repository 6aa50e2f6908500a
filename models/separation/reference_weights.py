"""Weights of google-research/sound-separation checkpoints, by name.

Written from the variable names and shapes in checkpoints of the
neurips2020_mixit model (commit 678e7375dfb2, Apache-2.0).
"""

from collections.abc import Mapping

import keras
import numpy as np

from models.separation.separator import Separator

_SCOPES = (
    "conv_encoder/",
    "layer_norm_on_mag/",
    "initial_dense/",
    "improved_tdcn/",
    "dense/",
    "conv_decoder/",
    "mix_weights/",
)
_VARIABLES = (
    "/kernel",
    "/bias",
    "/scale_layer",
    "/prelu",
    "/gamma",
    "/beta",
    "/depthwise_kernel",
)


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
    wanted = variables_by_reference_name(separator)
    for name, (_, shape) in wanted.items():
        found = np.shape(arrays[name]) if name in arrays else "no such variable"
        if found != shape:
            raise ValueError(
                f"The checkpoint does not fit the separator at {name}: the "
                f"separator has shape {shape}, the checkpoint {found}. "
                "Build the separator with the checkpoint's architecture; "
                "separator_from_reference() does."
            )
    for name in sorted(arrays):
        if _is_model_variable(name) and name not in wanted:
            raise ValueError(
                f"The checkpoint does not fit the separator at {name}: the "
                "separator has no such variable, the checkpoint shape "
                f"{np.shape(arrays[name])}. Build the separator with the "
                "checkpoint's architecture; separator_from_reference() does."
            )
    for name, (variable, _) in wanted.items():
        # Same values in the same order; only axes of size one differ.
        variable.assign(np.reshape(arrays[name], variable.shape))


def separator_from_reference(
    arrays: Mapping[str, np.ndarray],
    sample_rate_hz: int = 16000,
    num_dilations: int = 8,
    consistency: str | None = None,
) -> Separator:
    """Builds the separator that a reference checkpoint belongs to.

    Sizes are read from the shapes. Not in a checkpoint, and so assumed or
    given: the rate; the dilations; the hop (half a window for the learned
    basis, a quarter for the STFT); and an STFT window as long as its FFT.

    Args:
        arrays: Variable name -> value, with the names of the checkpoint.
        sample_rate_hz: Rate of the waveforms.
        num_dilations: Blocks in a repeat.
        consistency: Kind of mixture consistency; None for "predicted",
            which needs the weights for it in the checkpoint.

    Returns:
        A separator that holds the weights.

    Raises:
        ValueError: When the arrays lack a variable that gives a size, when
            `num_dilations` does not divide the number of blocks, or when
            the arrays do not fit together.
    """

    def shape_of(name):
        if name not in arrays:
            raise ValueError(
                f"{name} is not in the checkpoint: the separator needs its "
                "shape. Is this a checkpoint of the sound-separation TDCN++?"
            )
        return np.shape(arrays[name])

    num_features, bottleneck = shape_of("initial_dense/dense/kernel")
    num_blocks = len(
        {
            name.split("/")[1]
            for name in arrays
            if name.startswith("improved_tdcn/")
        }
    )
    if num_blocks == 0 or num_blocks % num_dilations != 0:
        raise ValueError(
            "num_dilations must divide the number of blocks in the "
            f"checkpoint. Received: num_dilations={num_dilations} for "
            f"{num_blocks} blocks"
        )
    block = "improved_tdcn/conv_block_0/tdcn_block"
    kernel_size, _, conv_channels, _ = shape_of(
        f"{block}/timeconv/separable_conv/depthwise_kernel"
    )
    learned = "conv_encoder/dense/kernel" in arrays
    if learned:
        window_samples, _ = shape_of("conv_encoder/dense/kernel")
    else:
        window_samples = 2 * (num_features - 1)
    hop_samples = window_samples // (2 if learned else 4)
    separator = Separator(
        num_sources=shape_of("dense/kernel")[1] // num_features,
        sample_rate_hz=sample_rate_hz,
        basis="learned" if learned else "stft",
        window_s=window_samples / sample_rate_hz,
        hop_s=hop_samples / sample_rate_hz,
        num_coefficients=num_features,
        bottleneck=bottleneck,
        conv_channels=conv_channels,
        num_dilations=num_dilations,
        num_repeats=num_blocks // num_dilations,
        kernel_size=kernel_size,
        consistency=consistency or "predicted",
    )
    load_reference_weights(separator, arrays)
    return separator


def _is_model_variable(name):
    """Tells variables of the network from slots such as NAME/Adam_1."""
    return name.startswith(_SCOPES) and name.endswith(_VARIABLES)


def variables_by_reference_name(
    separator: Separator,
) -> dict[str, tuple[keras.Variable, tuple[int, ...]]]:
    """Maps reference names to (our variable, shape in the reference)."""
    names = {}

    def add(name, variable, shape=None):
        shape = variable.shape if shape is None else shape
        names[name] = (variable, tuple(shape))

    transform, tdcn = separator.transform, separator.tdcn
    if separator.basis == "learned":
        add("conv_encoder/dense/kernel", transform.encoder.kernel)
        add("conv_decoder/dense_1/kernel", transform.decoder.kernel)
    else:
        norm = transform.magnitude_norm
        add("layer_norm_on_mag/gamma", norm.gain, (1, 1, 1))
        add("layer_norm_on_mag/beta", norm.offset, (1, 1, 1))
    add("initial_dense/dense/kernel", tdcn.initial_dense.kernel)
    add("initial_dense/dense/bias", tdcn.initial_dense.bias)
    add("initial_dense/dense_scale/scale_layer", tdcn.initial_dense.scale)
    for index, block in enumerate(tdcn.blocks):
        scope = f"improved_tdcn/conv_block_{index}/tdcn_block"
        add(f"{scope}/dense1/dense/kernel", block.expand.kernel)
        add(f"{scope}/dense1/dense_scale/scale_layer", block.expand.scale)
        for part, activation, norm in (
            ("normact1", block.activation_1, block.norm_1),
            ("normact2", block.activation_2, block.norm_2),
        ):
            add(f"{scope}/{part}/prelu/prelu", activation.alpha, ())
            add(f"{scope}/{part}/instance_norm/gamma", norm.gain, (1,))
            add(f"{scope}/{part}/instance_norm/beta", norm.offset, (1,))
        taps, channels, _ = block.convolution.kernel.shape
        add(
            f"{scope}/timeconv/separable_conv/depthwise_kernel",
            block.convolution.kernel,
            (taps, 1, channels, 1),
        )
        add(f"{scope}/timeconv/separable_conv/bias", block.convolution.bias)
        add(f"{scope}/dense2/dense/kernel", block.contract.kernel)
        add(f"{scope}/dense2/dense_scale/scale_layer", block.contract.scale)
    # The mask layer has the plainest name of all in the reference.
    add("dense/kernel", separator.mask_head.kernel)
    if separator.weight_head is not None:
        add("mix_weights/dense/kernel", separator.weight_head.kernel)
    return names
