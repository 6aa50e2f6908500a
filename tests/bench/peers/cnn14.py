"""CNN14 of PANNs (Kong et al., TASLP 2020, table 1), with a bottleneck."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

BLOCKS = 6


class CNN14(nn.Module):
    """(B, frames, bands) -> (B, d)."""

    def __init__(self, width: float, dropout: float):
        super().__init__()
        channels = [1, *(round(width * 64 * 2**i) for i in range(BLOCKS))]
        self.dropout = dropout
        self.bn0 = nn.BatchNorm2d(64)
        self.blocks = nn.ModuleList(map(ConvBlock, channels, channels[1:]))
        self.bottleneck = nn.Linear(channels[-1], 128)

    def forward(self, log_mel):
        x = self.bn0(log_mel[:, None].transpose(1, 3)).transpose(1, 3)
        for number, block in enumerate(self.blocks, start=1):
            x = block(x)
            if number < BLOCKS:
                x = functional.avg_pool2d(x, 2)
            x = functional.dropout(x, self.dropout, self.training)
        x = x.mean(3)  # (B, channels, frames / 32)
        return self.bottleneck(x.amax(2) + x.mean(2))

    def load(self, weights: dict[str, np.ndarray]) -> None:
        """Those of ours, by their Keras paths; statistics are those of 0."""
        loads = {"cnn14/bn0": self.bn0, "cnn14/bottleneck": self.bottleneck}
        for number, block in enumerate(self.blocks, start=1):
            for name, layer in block.named_children():
                loads[f"cnn14/conv_block{number}/{name}"] = layer
        for path, layer in loads.items():
            load(layer, weights, path)


class ConvBlock(nn.Module):
    """Twice (3x3 convolution, batch norm, ReLU)."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x):
        x = functional.relu_(self.bn1(self.conv1(x)))
        return functional.relu_(self.bn2(self.conv2(x)))


# Axes of a Keras kernel, in the order of PyTorch.
_AXES = {2: (1, 0), 4: (3, 2, 0, 1)}
_NAMES = {"weight": ("kernel", "gamma"), "bias": ("bias", "beta")}


def load(layer: nn.Module, weights: dict[str, np.ndarray], path: str) -> None:
    """Sets a linear layer, a convolution or a batch norm."""
    for own, names in _NAMES.items():
        for name in names:
            value = weights.get(f"{path}/{name}")
            if value is not None:
                value = value.transpose(_AXES.get(value.ndim, (0,)))
                parameter = getattr(layer, own)
                assert parameter.shape == value.shape, path
                parameter.data = torch.from_numpy(np.ascontiguousarray(value))
