"""The contrastive losses in plain PyTorch, with their gradients."""

from collections.abc import Callable

import torch
from pytorch_metric_learning.losses import NTXentLoss
from torch import nn
from torch.nn import functional

from tests.bench.peers import cnn14
from tests.bench.peers.contrastive import TEMPERATURE, nt_xent
from tests.bench.work import Work


def plain_nt_xent(given: dict, pairs: int) -> Work:
    """The matrix of all views."""
    return _with_gradient(
        lambda z_a, z_b: nt_xent(z_a, z_b, TEMPERATURE), given, "z_a", "z_b"
    )


def metric_learning_nt_xent(given: dict, pairs: int) -> Work:
    """By pytorch-metric-learning, which lays out all pairs of pairs."""
    loss = NTXentLoss(TEMPERATURE)
    labels = torch.arange(pairs).repeat(2)
    return _with_gradient(
        lambda z_a, z_b: loss(torch.cat([z_a, z_b]), labels),
        given,
        "z_a",
        "z_b",
    )


class ConcatenatedPairs(nn.Module):
    """The head as it is defined: an MLP on all B x B concatenations."""

    def __init__(self, weights: dict):
        super().__init__()
        self.first = nn.Linear(128, 512)
        self.second = nn.Linear(128, 512, bias=False)
        self.logit = nn.Linear(512, 1)
        for name, layer in [*self.named_children()]:
            cnn14.load(layer, weights, name)
        self.hidden = nn.Linear(256, 512)
        self.hidden.weight.data = torch.cat(
            [self.first.weight, self.second.weight], 1
        ).detach()
        self.hidden.bias.data = self.first.bias.detach()

    def forward(self, h_a, h_b):
        a, b = len(h_a), len(h_b)
        pairs = torch.cat(
            [h_a[:, None].expand(a, b, -1), h_b.expand(a, b, -1)], -1
        )
        return self.logit(functional.relu(self.hidden(pairs)))[..., 0]


def coincidence(given: dict, pairs: int) -> Work:
    """Balanced cross entropy of all B x B logits."""
    head = ConcatenatedPairs(given)

    def loss(h_a, h_b):
        logits = head(h_a, h_b)
        is_own = torch.eye(pairs, dtype=torch.bool)
        positive = functional.softplus(-logits.diagonal())
        negatives = functional.softplus(logits).masked_fill(is_own, 0.0)
        return positive + negatives.sum(1) / (pairs - 1)

    return _with_gradient(loss, given, "h_a", "h_b")


def _with_gradient(loss: Callable, given: dict, *names: str) -> Work:
    """The answer has the loss, and the gradient of what is named first."""
    inputs = [torch.from_numpy(given[name]).requires_grad_() for name in names]

    def turn():
        for tensor in inputs:
            tensor.grad = None
        value = loss(*inputs)
        value.mean().backward()
        return {
            "loss": value.detach().numpy().mean(),
            "gradient": inputs[0].grad.numpy(),
        }

    return Work(turn)
