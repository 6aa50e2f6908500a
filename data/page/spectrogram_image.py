"""Log-mel spectrograms as small PNG images for a page."""

import base64
import io

import matplotlib
import numpy as np
from PIL import Image

MEL_BANDS = 64
LOW_HZ = 125.0
_WINDOW_S, _HOP_S = 0.025, 0.010
_OFFSET = 0.001
SILENCE = float(np.log(_OFFSET))
# What the colors span below the loudest value: 60 dB, in nepers.
_SPAN = 3 * float(np.log(10))
_PALETTE = matplotlib.colormaps["magma"](range(256), bytes=True)[:, :3]  # uint8


def high_hz(sample_rate_hz: int) -> float:
    """Upper edge of the images, hertz."""
    return min(7500.0, sample_rate_hz / 2)


def log_mel(
    audio: np.ndarray, sample_rate_hz: int, max_frames: int
) -> np.ndarray:
    """(T,) audio to about `max_frames` frames.

    Window, bands and offset are those of the encoder's front end, but the
    bands are rectangles, not triangles, which no eye sees.

    Returns:
      (frames, MEL_BANDS) float32; silence is `SILENCE`.
    """
    window = round(_WINDOW_S * sample_rate_hz)
    hop_s = max(_HOP_S, len(audio) / sample_rate_hz / max_frames)
    padded = np.pad(audio, (0, max(0, window - len(audio))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)
    frames = frames[:: round(hop_s * sample_rate_hz)]
    fft_length = 2 ** int(np.ceil(np.log2(window)))
    hann = np.sin(np.pi * np.arange(window) / window) ** 2
    magnitude = np.abs(np.fft.rfft(frames * hann, fft_length))
    # The integral up to an edge, which may lie inside a bin.
    integral = np.pad(np.cumsum(magnitude, axis=1), [(0, 0), (1, 0)])
    # MEL_BANDS + 1 frequencies, equally spaced in HTK mel.
    ends = np.log1p(np.array([LOW_HZ, high_hz(sample_rate_hz)]) / 700)
    edges_hz = 700 * np.expm1(np.linspace(*ends, MEL_BANDS + 1))
    edges = edges_hz * fft_length / sample_rate_hz + 0.5
    bins = np.minimum(edges.astype(int), magnitude.shape[1] - 1)
    below = integral[:, bins] + magnitude[:, bins] * (edges - bins)
    return np.log(np.diff(below, axis=1) + _OFFSET).astype(np.float32)


def darkest(high: float) -> float:
    """60 dB below the value of the lightest color, or silence."""
    return max(SILENCE, high - _SPAN)


def png_uri(values: np.ndarray, high: float | None = None) -> str:
    """(frames, bands) as a data: URI; time to the right, low bands below.

    Args:
      values: what `log_mel` gives.
      high: value of the lightest color, None: the largest; the darkest is
        60 dB below, or silence.
    """
    high = float(values.max()) if high is None else high
    # 8-bit with a palette is a third of the size of true color.
    image = Image.fromarray(_shades(values, darkest(high), high), "L")
    image.putpalette(_PALETTE.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/png;base64,{text}"


def rgb(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """(frames, bands) as a picture (bands, frames, 3) uint8.

    Args:
      values: a spectrogram in any unit.
      low, high: values of the darkest and of the lightest color.
    """
    return _PALETTE[_shades(values, low, high)]


def _shades(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """(bands, frames) uint8, low bands below."""
    scaled = np.clip((values - low) / max(high - low, 1e-6), 0, 1)
    pixels = np.round(255 * scaled.T[::-1]).astype(np.uint8)
    return np.ascontiguousarray(pixels)
