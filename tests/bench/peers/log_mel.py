"""Log-mel spectrograms with the values of VGGish, by `torch.stft`."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tests.bench.work import Work

WINDOW, HOP, FFT = 400, 160, 512
OFFSET = 0.001
# A window that is shorter than the FFT is put in its middle.
MARGIN = (FFT - WINDOW) // 2


class PlainLogMel(nn.Module):
    """(B, T) -> (B, frames, bands)."""

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


def log_mel(given: dict, **_) -> Work:
    return work_of(PlainLogMel(given["mel"]), given)


def work_of(frontend: nn.Module, given: dict) -> Work:
    waveform = torch.from_numpy(given["waveform"])

    @torch.inference_mode()
    def turn():
        return {"log_mel": frontend(waveform).numpy()}

    return Work(turn)
