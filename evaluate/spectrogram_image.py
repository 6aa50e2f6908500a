"""Log-mel spectrograms as small PNG images for a page."""

import base64
import io

import matplotlib
import numpy as np
from PIL import Image

from models.frontend.log_mel import LogMel

MEL_BANDS = 64
LOW_HZ = 125.0
# Of the front end for digital silence.
SILENCE = float(np.log(0.001))
# What the colors span below the loudest value: 60 dB, in nepers.
_SPAN = 3 * float(np.log(10))


def high_hz(sample_rate_hz: int) -> float:
    """Upper edge of the images, hertz."""
    return min(7500.0, sample_rate_hz / 2)


def log_mel(
    audio: np.ndarray, sample_rate_hz: int, max_frames: int
) -> np.ndarray:
    """(T,) audio to about `max_frames` frames of the encoder's bands.

    Returns:
      (frames, MEL_BANDS) float32; silence is `SILENCE`.
    """
    hop_s = max(0.010, len(audio) / sample_rate_hz / max_frames)
    layer = LogMel(
        sample_rate_hz,
        hop_s=hop_s,
        mel_bands=MEL_BANDS,
        low_hz=LOW_HZ,
        high_hz=high_hz(sample_rate_hz),
    )
    missing = max(0, layer.window_samples - len(audio))
    padded = np.pad(np.asarray(audio, np.float32), (0, missing))
    return np.asarray(layer(padded[None]))[0]


def png_uri(values: np.ndarray, high: float) -> str:
    """(frames, bands) as a data: URI; time to the right, low bands below.

    Args:
      values: what `log_mel` gives.
      high: value of the lightest color; the darkest is 60 dB below, or
        silence.
    """
    low = max(SILENCE, high - _SPAN)
    scaled = np.clip((values - low) / max(high - low, 1e-6), 0, 1)
    pixels = np.round(255 * scaled.T[::-1]).astype(np.uint8)
    # 8-bit with a palette is a third of the size of true color.
    image = Image.fromarray(np.ascontiguousarray(pixels), "L")
    palette = matplotlib.colormaps["magma"](np.arange(256), bytes=True)
    image.putpalette(palette[:, :3].tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/png;base64,{text}"
