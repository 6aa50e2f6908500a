"""An encoder as a SavedModel: waveform in, embedding out, no Keras needed."""

import os

import keras
import numpy as np
import tensorflow as tf

from models.embedding_model import EmbeddingModel

SERVING = "serving_default"
WINDOWS = "windows"
WAVEFORM = "waveform"
EMBEDDING = "embedding"


def write(model: EmbeddingModel, path: str | os.PathLike) -> None:
    """Writes the SavedModel folder `path`.

    Signatures, each with the input `waveform` [B, T] float32 at the model's
    sample rate, any B and T: `serving_default` gives `embedding` [B, d], the
    mean over windows, and `windows` gives `windows` [B, W, d].
    """
    spec = [tf.TensorSpec([None, None], tf.float32, name=WAVEFORM)]

    def serve(waveform):
        return {EMBEDDING: model(waveform, training=False)}

    def windows(waveform):
        return {WINDOWS: model.embed_windows(waveform, training=False)}

    # The endpoints find their variables; `track` would store them twice.
    archive = keras.export.ExportArchive()
    archive.add_endpoint(SERVING, serve, input_signature=spec)
    archive.add_endpoint(WINDOWS, windows, input_signature=spec)
    archive.write_out(str(path), verbose=False)


def check(
    model: EmbeddingModel, path: str | os.PathLike, seed: int = 0
) -> float:
    """Loads what `write` wrote and compares both signatures with Keras.

    Returns:
      The largest absolute difference over noise of half a window, of one
      window and of several, in batches of 1 and 3.

    Raises:
      RuntimeError: it is above 1e-5 of the largest value (or of 1).
    """
    loaded = tf.saved_model.load(str(path))
    random = np.random.default_rng(seed)
    worst = 0.0
    for batch, share in ((1, 0.5), (3, 1.0), (3, 3.3)):
        length = int(share * model.window_samples)
        waveform = random.normal(0, 0.1, (batch, length)).astype(np.float32)
        for signature, key, expected in (
            (SERVING, EMBEDDING, model(waveform)),
            (WINDOWS, WINDOWS, model.embed_windows(waveform)),
        ):
            served = loaded.signatures[signature](waveform=waveform)[key]
            error = float(np.abs(served.numpy() - expected.numpy()).max())
            scale = max(1.0, float(np.abs(expected.numpy()).max()))
            if not error <= 1e-5 * scale:
                raise RuntimeError(
                    f"the SavedModel's {signature} is {error:.2g} off Keras "
                    f"for {batch} waveforms of {length} samples"
                )
            worst = max(worst, error)
    return worst
