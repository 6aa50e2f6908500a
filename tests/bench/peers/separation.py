"""MixIT in PyTorch: its loss over all assignments, and a training step."""

import itertools

import torch
from torch import nn

from tests.bench.peers.tdcn import Separator
from tests.bench.work import Work

_FLOOR = 1e-8
_CAP = 10 ** (-30 / 10)


def mixit(mixtures, estimates):
    """As in asteroid: mixes the estimates in every way, and takes the best.

    Args:
      mixtures: (B, 2, T).
      estimates: (B, M, T).

    Returns:
      (B,), in dB.
    """
    losses = []
    for digits in itertools.product((0, 1), repeat=estimates.shape[1]):
        digits = torch.tensor(digits)
        mixed = torch.stack(
            [estimates[:, digits == mixture].sum(1) for mixture in (0, 1)], 1
        )
        losses.append(_negative_snr(mixtures, mixed).mean(1))
    return torch.stack(losses, 1).min(1).values


def _negative_snr(references, estimates):
    error = (references - estimates).square().sum(-1)
    energy = references.square().sum(-1)
    return 10 * torch.log10(error + _CAP * energy + _FLOOR)


def mixit_loss(given: dict, **_) -> Work:
    """With the gradient."""
    mixtures = torch.from_numpy(given["mixtures"])
    estimates = torch.from_numpy(given["estimates"]).requires_grad_()

    def turn():
        estimates.grad = None
        loss = mixit(mixtures, estimates)
        loss.mean().backward()
        return {
            "loss": loss.detach().numpy().mean(),
            "gradient": estimates.grad.numpy(),
        }

    return Work(turn)


def separate(given: dict, **_) -> Work:
    """A clip."""
    separator = Separator(num_sources=2)
    separator.load(given)
    clip = torch.from_numpy(given["clip"])

    @torch.inference_mode()
    def turn():
        return {"channels": separator(clip).numpy()}

    return Work(turn)


def step(given: dict, pairs: int, seconds: float) -> Work:
    """Adam in one kernel, like ours."""
    separator = Separator(num_sources=2)
    separator.load(given)
    mixtures = torch.from_numpy(given["mixtures"])
    optimizer = torch.optim.Adam(separator.parameters(), lr=1e-4, fused=True)

    def gradients():
        optimizer.zero_grad()
        loss = mixit(mixtures, separator(mixtures.sum(1))).mean()
        loss.backward()
        return loss.detach()

    def turn():
        loss = gradients()
        optimizer.step()
        return loss.item()

    loss = gradients()
    norm = nn.utils.get_total_norm([p.grad for p in separator.parameters()])
    return Work(turn, {"loss": loss.numpy(), "gradient_norm": norm.numpy()})
