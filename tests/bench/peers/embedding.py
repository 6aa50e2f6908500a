"""Embeddings of clips in PyTorch: torchlibrosa and CNN14, as PANNs."""

import torch

from tests.bench.peers.cnn14 import CNN14
from tests.bench.peers.torchlibrosa_log_mel import TorchlibrosaLogMel
from tests.bench.work import Work


def embed(given: dict, clips: int, seconds: float) -> Work:
    """The mean over the windows that ours has cut."""
    frontend = TorchlibrosaLogMel(given["mel"])
    encoder = CNN14(1.0, dropout=0.0).eval()
    encoder.load(given)
    windows = torch.from_numpy(given["windows"])  # (B, W, samples)

    @torch.inference_mode()
    def turn():
        h = encoder(frontend(windows.flatten(0, 1)))
        h = h.view(*windows.shape[:2], -1)
        return {"embedding": h.mean(1).numpy()}

    return Work(turn)
