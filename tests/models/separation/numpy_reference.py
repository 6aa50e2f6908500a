"""The reference network again, in NumPy and float64, from its equations.

It has the learned basis and shares nothing with models/: it takes the arrays
of a checkpoint under their names there.
"""

import numpy as np

BLOCK = "improved_tdcn/conv_block_{}/tdcn_block"


def random_checkpoint(
    window: int,
    features: int,
    sources: int,
    blocks: int,
    bottleneck: int = 9,
    conv_channels: int = 14,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Name -> float32 array; no parameter has a special value."""
    rng = np.random.default_rng(seed)

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
        scope = BLOCK.format(b)
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


def separate(
    arrays: dict[str, np.ndarray],
    mixture: np.ndarray,
    window: int,
    hop: int,
    num_dilations: int,
) -> np.ndarray:
    """(B, T) -> channels (B, M, T) in float64, with predicted consistency."""
    v = {name: np.float64(value) for name, value in arrays.items()}
    return np.stack(
        [_separate_one(v, x, window, hop, num_dilations) for x in mixture]
    )


def _separate_one(v, mixture, window, hop, num_dilations):
    samples = len(mixture)
    frames = max(-(-(samples - window) // hop), 0) + 1
    padded = np.zeros(window + frames * hop)
    padded[:samples] = mixture[: len(padded)]
    cut = np.stack([padded[f * hop :][:window] for f in range(frames)])
    coefficients = np.maximum(cut @ v["conv_encoder/dense/kernel"], 0)
    core = _core(v, coefficients, num_dilations)
    size = coefficients.shape[1]
    logits = (core @ v["dense/kernel"]).reshape(frames, -1, size)
    masked = coefficients[:, None] / (1 + np.exp(-logits))
    pieces = masked @ v["conv_decoder/dense_1/kernel"]
    total = np.zeros((masked.shape[1], window + frames * hop))
    for f in range(frames):
        total[:, f * hop : f * hop + window] += pieces[f]
    estimates = total[:, :samples]

    weights = np.exp(core.mean(0) @ v["mix_weights/dense/kernel"])
    missing = mixture - estimates.sum(0)
    return estimates + (weights / weights.sum())[:, None] * missing


def _core(v, features, num_dilations):
    x = features @ v["initial_dense/dense/kernel"]
    x = x + v["initial_dense/dense/bias"]
    x = x * v["initial_dense/dense_scale/scale_layer"]
    blocks = {n.split("/")[1] for n in v if n.startswith("improved_tdcn/")}
    for b in range(len(blocks)):
        scope, dilation = BLOCK.format(b), 2 ** (b % num_dilations)
        y = x @ v[f"{scope}/dense1/dense/kernel"]
        y = y * v[f"{scope}/dense1/dense_scale/scale_layer"]
        y = _activate(y, v, f"{scope}/normact1")
        conv = f"{scope}/timeconv/separable_conv"
        padded = np.pad(y, ((dilation, dilation), (0, 0)))
        taps = v[f"{conv}/depthwise_kernel"][:, 0, :, 0]
        y = sum(taps[k] * padded[k * dilation :][: len(x)] for k in range(3))
        y = _activate(y + v[f"{conv}/bias"], v, f"{scope}/normact2")
        y = y @ v[f"{scope}/dense2/dense/kernel"]
        x = x + y * v[f"{scope}/dense2/dense_scale/scale_layer"]
    return x


def _activate(x, v, scope):
    """PReLU, then the norm over time."""
    slope = v[f"{scope}/prelu/prelu"]
    x = np.where(x > 0, x, slope * x)
    norm = f"{scope}/instance_norm"
    centred = x - x.mean(0)
    scaled = centred / np.sqrt(x.var(0) + 1e-3)
    return scaled * v[f"{norm}/gamma"].item() + v[f"{norm}/beta"].item()
