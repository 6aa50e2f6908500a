"""The same spectrograms by torchlibrosa, which PANNs' code takes."""

import numpy as np
import torch
import torchlibrosa
from torch import nn
from torch.nn import functional

from tests.bench.peers.log_mel import FFT, HOP, MARGIN, OFFSET, WINDOW, work_of
from tests.bench.work import Work


class TorchlibrosaLogMel(nn.Module):
    """(B, T) -> (B, frames, bands): the Fourier transform is a convolution."""

    def __init__(self, mel_matrix: np.ndarray):
        super().__init__()
        self.spectrogram = torchlibrosa.Spectrogram(
            FFT, HOP, WINDOW, center=False, power=1.0, freeze_parameters=True
        )
        self.filters = torchlibrosa.LogmelFilterBank(
            sr=16000, n_fft=FFT, n_mels=mel_matrix.shape[1], is_log=False
        )
        self.filters.melW.data = torch.from_numpy(mel_matrix)
        self.filters.melW.requires_grad = False

    def forward(self, waveform):
        padded = functional.pad(waveform, (MARGIN, MARGIN))
        mel = self.filters(self.spectrogram(padded))  # (B, 1, frames, bands)
        return torch.log(mel[:, 0] + OFFSET)


def log_mel(given: dict, **_) -> Work:
    return work_of(TorchlibrosaLogMel(given["mel"]), given)
