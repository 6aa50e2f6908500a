"""TDCN++ (Kavalerov et al., WASPAA 2019) with MixIT's heads, in PyTorch.

Sizes are those of Wisdom et al. (NeurIPS 2020). Channels come before frames,
and dense layers are convolutions of one tap, as in Conv-TasNet's code.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

WINDOW, HOP, COEFFICIENTS = 40, 20, 256
BOTTLENECK, CHANNELS, TAPS = 256, 512, 3
DILATIONS, REPEATS = 8, 4
EPSILON = 1e-3


class Scaled(nn.Module):
    """scale * (W x + b)."""

    def __init__(self, inputs: int, outputs: int, bias: bool = False):
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.empty(outputs)) if bias else None
        self.scale = nn.Parameter(torch.empty(()))

    def forward(self, x):
        bias = None if self.bias is None else self.bias * self.scale
        return functional.conv1d(x, (self.kernel * self.scale)[..., None], bias)


class Norm(nn.Module):
    """Over time, with one gain and one offset."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.empty(()))
        self.offset = nn.Parameter(torch.empty(()))

    def forward(self, x):
        return (
            functional.instance_norm(x, eps=EPSILON) * self.gain + self.offset
        )


class Block(nn.Module):
    """Dense, depthwise convolution, dense; added to the input."""

    def __init__(self, dilation: int):
        super().__init__()
        self.expand = Scaled(BOTTLENECK, CHANNELS)
        self.activation_1, self.norm_1 = nn.PReLU(), Norm()
        self.convolution = nn.Conv1d(
            CHANNELS,
            CHANNELS,
            TAPS,
            padding=dilation * (TAPS // 2),
            dilation=dilation,
            groups=CHANNELS,
        )
        self.activation_2, self.norm_2 = nn.PReLU(), Norm()
        self.contract = Scaled(CHANNELS, BOTTLENECK)

    def forward(self, inputs):
        x = self.norm_1(self.activation_1(self.expand(inputs)))
        x = self.norm_2(self.activation_2(self.convolution(x)))
        return inputs + self.contract(x)


class Separator(nn.Module):
    """(B, T) -> (B, M, T) that sum to the input."""

    def __init__(self, num_sources: int):
        super().__init__()
        self.num_sources = num_sources
        self.encoder = nn.Conv1d(1, COEFFICIENTS, WINDOW, HOP, bias=False)
        self.decoder = nn.ConvTranspose1d(
            COEFFICIENTS, 1, WINDOW, HOP, bias=False
        )
        self.initial_dense = Scaled(COEFFICIENTS, BOTTLENECK, bias=True)
        self.blocks = nn.Sequential(
            *(Block(2**d) for _ in range(REPEATS) for d in range(DILATIONS))
        )
        self.mask_head = nn.Conv1d(
            BOTTLENECK, num_sources * COEFFICIENTS, 1, bias=False
        )
        self.weight_head = nn.Linear(BOTTLENECK, num_sources, bias=False)

    def forward(self, waveform):
        batch, samples = waveform.shape
        frames = -(-max(samples - WINDOW, 0) // HOP) + 1
        past = (frames - 1) * HOP + WINDOW - samples
        padded = functional.pad(waveform, (0, past))[:, None]
        features = functional.relu(self.encoder(padded))  # (B, N, frames)
        core = self.blocks(self.initial_dense(features))
        masks = torch.sigmoid(self.mask_head(core))
        masks = masks.view(batch, self.num_sources, COEFFICIENTS, frames)
        masked = (masks * features[:, None]).flatten(0, 1)
        estimates = self.decoder(masked)[..., :samples]
        estimates = estimates.view(batch, self.num_sources, samples)
        weights = torch.softmax(self.weight_head(core.mean(2)), dim=1)
        missing = waveform - estimates.sum(1)
        return estimates + weights[..., None] * missing[:, None]

    def load(self, weights: dict[str, np.ndarray]) -> None:
        """Those of ours, by their Keras paths."""
        kernel = weights["separator/learned_basis/encoder/kernel"].T[:, None]
        _set(self.encoder.weight, kernel)
        kernel = weights["separator/learned_basis/decoder/kernel"][:, None]
        _set(self.decoder.weight, kernel)
        kernel = weights["separator/mask_head/kernel"].T[..., None]
        _set(self.mask_head.weight, kernel)
        _set(self.weight_head.weight, weights["separator/weight_head/kernel"].T)
        tdcn = "separator/tdcn"
        _set_scaled(self.initial_dense, weights, f"{tdcn}/initial_dense")
        for number, block in enumerate(self.blocks):
            path = f"{tdcn}/block_{number}"
            for name in ("expand", "contract"):
                _set_scaled(getattr(block, name), weights, f"{path}/{name}")
            for name in ("norm_1", "norm_2"):
                norm = getattr(block, name)
                _set(norm.gain, weights[f"{path}/{name}/gain"])
                _set(norm.offset, weights[f"{path}/{name}/offset"])
            for name in ("activation_1", "activation_2"):
                alpha = weights[f"{path}/{name}/alpha"]
                _set(getattr(block, name).weight, alpha.reshape(1))
            kernel = weights[f"{path}/convolution/kernel"]  # (taps, C, 1)
            _set(block.convolution.weight, kernel.transpose(1, 2, 0))
            _set(block.convolution.bias, weights[f"{path}/convolution/bias"])


def _set_scaled(layer: Scaled, weights: dict, path: str) -> None:
    _set(layer.kernel, weights[f"{path}/kernel"].T)
    _set(layer.scale, weights[f"{path}/scale"])
    if layer.bias is not None:
        _set(layer.bias, weights[f"{path}/bias"])


def _set(parameter: nn.Parameter, value: np.ndarray) -> None:
    assert parameter.shape == value.shape
    parameter.data = torch.from_numpy(np.array(value, order="C"))
