"""Log-mel spectrograms with the values of VGGish, twice."""

import numpy as np
import torch
import torchlibrosa
from torch import nn
from torch.nn import functional

from tests.bench.work import Work

WINDOW, HOP, FFT = 400, 160, 512
OFFSET = 0.001
# Both put a window that is shorter than the FFT in its middle.
MARGIN = (FFT - WINDOW) // 2


class PlainLogMel(nn.Module):
    """`torch.stft` and a matrix: (B, T) -> (B, frames, bands)."""

    def __init__(self, mel_matrix: np.ndarray):
        super().__init__()
        self.register_buffer("mel", torch.from_numpy(mel_matrix))
        self.register_buffer("window", torch.hann_window(WINDOW))

    def forward(self, waveform):
        spectrum = torch.stft(
            functional.pad(waveform, (MARGIN, MARGIN)),
            FFT,
            HOP,
            WINDOW,
            self.window,
            center=False,
            return_complex=True,
        )  # (B, bins, frames)
        mel = spectrum.abs().transpose(1, 2) @ self.mel
        return torch.log(mel + OFFSET)


class TorchlibrosaLogMel(nn.Module):
    """As PANNs' code has it: the Fourier transform is a convolution."""

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


def plain(given: dict, **_) -> Work:
    return _work(PlainLogMel(given["mel"]), given)


def with_torchlibrosa(given: dict, **_) -> Work:
    return _work(TorchlibrosaLogMel(given["mel"]), given)


def _work(frontend: nn.Module, given: dict) -> Work:
    waveform = torch.from_numpy(given["waveform"])

    @torch.inference_mode()
    def turn():
        return {"log_mel": frontend(waveform).numpy()}

    return Work(turn)
