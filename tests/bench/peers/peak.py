"""What the machine can do at most, by PyTorch: see `ours.peak`."""

import torch

from tests.bench.work import Work


def matrix_product(given: dict, size: int) -> Work:
    a, b = torch.randn(2, size, size)
    return Work(lambda: a @ b, answer={})


def copy(given: dict, megabytes: int) -> Work:
    source = torch.ones(megabytes * 2**20 // 4)
    target = torch.zeros_like(source)
    return Work(lambda: target.copy_(source), answer={})
