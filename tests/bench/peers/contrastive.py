"""A step of contrastive pretraining in PyTorch, as one would write it."""

import torch
from torch import nn
from torch.nn import functional

from tests.bench.peers import cnn14
from tests.bench.peers.cnn14 import CNN14
from tests.bench.peers.log_mel import PlainLogMel
from tests.bench.work import Work

TEMPERATURE = 0.1


class Pretraining(nn.Module):
    """Encoder, both heads, and the joint loss of log-mel views."""

    def __init__(self, width: float, dropout: float = 0.2):
        super().__init__()
        self.encoder = CNN14(width, dropout)
        self.hidden = nn.Linear(128, 512)
        self.projection = nn.Linear(512, 128)
        self.first = nn.Linear(128, 512)
        self.second = nn.Linear(128, 512, bias=False)
        self.logit = nn.Linear(512, 1)

    def forward(self, log_mel):
        h = self.encoder(log_mel)
        z = self.projection(functional.relu(self.hidden(h)))
        h_a, h_b = h.chunk(2)
        pairs = self.first(h_a)[:, None] + self.second(h_b)
        logits = self.logit(functional.relu(pairs))[..., 0]
        return nt_xent(*z.chunk(2), TEMPERATURE) + coincidence(logits)

    def load(self, weights: dict) -> None:
        self.encoder.load(weights)
        for name in ("hidden", "projection", "first", "second", "logit"):
            cnn14.load(getattr(self, name), weights, name)


def nt_xent(z_a, z_b, temperature: float):
    """SimCLR's loss: the matrix of all views, its diagonal left out."""
    z = functional.normalize(torch.cat([z_a, z_b]))
    logits = z @ z.T / temperature
    logits.fill_diagonal_(-1e9)
    n = len(z_a)
    positives = torch.arange(2 * n).roll(n)
    return functional.cross_entropy(logits, positives)


def coincidence(logits):
    """Cross entropy of the diagonal plus the mean over what is beside it."""
    n = len(logits)
    is_own = torch.eye(n, dtype=torch.bool)
    positive = functional.softplus(-logits.diagonal()).mean()
    return positive + functional.softplus(logits[~is_own]).mean()


def spec_augment(log_mel):
    """Two masks of up to 16 frames, two of up to 8 bands, no time warp."""
    batch, *sizes = log_mel.shape
    keep = torch.ones_like(log_mel, dtype=torch.bool)
    for axis, (size, most) in enumerate(zip(sizes, (16, 8), strict=True), 1):
        place = torch.arange(size)
        for _ in range(2):
            width = (torch.rand(batch, 1) * (most + 1)).floor()
            start = (torch.rand(batch, 1) * (size - width + 1)).floor()
            inside = (place >= start) & (place < start + width)
            keep &= ~inside.unsqueeze(3 - axis)
    fill = log_mel.mean((1, 2), keepdim=True)
    return torch.where(keep, log_mel, fill)


def step(
    given: dict,
    width: float,
    pairs: int,
    compiled: bool = False,
    channels_last: bool = False,
) -> Work:
    """Adam in one kernel, like ours.

    Args:
      compiled: by torch.compile.
      channels_last: order of the axes in memory; PyTorch's own is the other.
    """
    frontend = PlainLogMel(given["mel"])
    views = torch.from_numpy(given["views"])
    views = torch.cat([views[:, 0], views[:, 1]])

    plain = Pretraining(width, dropout=0.0)
    plain.load(given)
    loss = plain(frontend(views))
    loss.backward()
    norm = nn.utils.get_total_norm([p.grad for p in plain.parameters()])
    answer = {"loss": loss.detach().numpy(), "gradient_norm": norm.numpy()}

    model = Pretraining(width)
    model.load(given)
    if channels_last:
        model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    forward = torch.compile(model) if compiled else model

    def turn():
        with torch.no_grad():
            log_mel = spec_augment(frontend(views))
        optimizer.zero_grad()
        loss = forward(log_mel)
        loss.backward()
        optimizer.step()
        return loss.item()

    return Work(turn, answer)
