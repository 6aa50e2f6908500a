"""Audio as shards hold it: float in [-1, 1) to 16-bit PCM, or to FLAC.

Apart from `codec`, since worker processes need no TensorFlow.
"""

import io

import numpy as np
import soundfile

PCM16 = "pcm16"
FLAC = "flac"
AUDIO_FORMATS = (PCM16, FLAC)

FULL_SCALE = 32768.0


def to_int16(audio: np.ndarray) -> np.ndarray:
    """Rounds float audio of any shape to 16 bits; beyond +-1 it is clipped."""
    scaled = np.rint(np.asarray(audio) * FULL_SCALE)
    return np.clip(scaled, -32768, 32767).astype("<i2")


def num_clipped(audio: np.ndarray) -> int:
    """Samples beyond full scale, which `encode` clips."""
    return int(np.count_nonzero(np.abs(audio) > 1))


def encode(audio: np.ndarray, audio_format: str, sample_rate_hz: int) -> bytes:
    """Encodes mono audio.

    Args:
      audio: (T,) float, full scale 1.
      audio_format: one of `AUDIO_FORMATS`.
      sample_rate_hz: written into FLAC headers; PCM has none.
    """
    samples = to_int16(audio)
    if audio_format == PCM16:
        return samples.tobytes()
    buffer = io.BytesIO()
    soundfile.write(
        buffer, samples, sample_rate_hz, format="FLAC", subtype="PCM_16"
    )
    return buffer.getvalue()
