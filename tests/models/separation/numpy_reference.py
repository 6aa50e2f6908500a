"""The reference network again, in NumPy and float64, from its equations.

It shares nothing with models/: it takes the arrays of a checkpoint under
their names there. `reference_weights_test` holds it to the stored values.
"""

import numpy as np

BLOCK = "improved_tdcn/conv_block_{}/tdcn_block"


def random_checkpoint(
    window: int,
    features: int,
    sources: int,
    blocks: int,
    learned: bool,
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
        "initial_dense/dense/kernel": matrix(features, bottleneck),
        "initial_dense/dense/bias": matrix(bottleneck),
        "initial_dense/dense_scale/scale_layer": scalar(0.6, 1.4),
        "dense/kernel": matrix(bottleneck, sources * features),
        "mix_weights/dense/kernel": matrix(bottleneck, sources),
    }
    if learned:
        arrays["conv_encoder/dense/kernel"] = matrix(window, features)
        arrays["conv_decoder/dense_1/kernel"] = matrix(features, window)
    else:
        arrays["layer_norm_on_mag/gamma"] = scalar(0.6, 1.4, (1, 1, 1))
        arrays["layer_norm_on_mag/beta"] = scalar(-0.3, 0.3, (1, 1, 1))
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
    learned = "conv_encoder/dense/kernel" in v
    if learned:
        frames = max(-(-(samples - window) // hop), 0) + 1
    else:
        frames = -(-samples // hop)
    padded = np.zeros(window + frames * hop)
    padded[:samples] = mixture[: len(padded)]
    cut = np.stack([padded[f * hop :][:window] for f in range(frames)])
    if learned:
        coefficients = np.maximum(cut @ v["conv_encoder/dense/kernel"], 0)
        features = coefficients
    else:
        taper, dual = _windows(window, hop)
        fft_length = 2 ** int(np.ceil(np.log2(window)))
        coefficients = np.fft.rfft(cut * taper, fft_length)
        features = _norm(
            np.abs(coefficients), None, v, "layer_norm_on_mag"
        )  # (frames, bins)

    core = _core(v, features, num_dilations)
    bins = features.shape[1]
    logits = (core @ v["dense/kernel"]).reshape(frames, -1, bins)
    masked = coefficients[:, None] / (1 + np.exp(-logits))
    if learned:
        pieces = masked @ v["conv_decoder/dense_1/kernel"]
    else:
        pieces = np.fft.irfft(masked, fft_length)[..., :window] * dual
    total = np.zeros((masked.shape[1], window + frames * hop))
    for f in range(frames):
        total[:, f * hop : f * hop + window] += pieces[f]
    estimates = total[:, :samples]

    weights = np.exp(core.mean(0) @ v["mix_weights/dense/kernel"])
    missing = mixture - estimates.sum(0)
    return estimates + (weights / weights.sum())[:, None] * missing


def _windows(window, hop):
    """Analysis and synthesis window; an odd window is symmetric."""
    period = window if window % 2 == 0 else window - 1
    taper = np.sin(np.pi * np.arange(window) / period)
    power = [sum(taper[k % hop :: hop] ** 2) for k in range(window)]
    return taper, taper / power


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
    return _norm(x, 0, v, f"{scope}/instance_norm")


def _norm(x, axis, v, scope):
    centred = x - x.mean(axis, keepdims=True)
    scaled = centred / np.sqrt(x.var(axis, keepdims=True) + 1e-3)
    return scaled * v[f"{scope}/gamma"].item() + v[f"{scope}/beta"].item()
