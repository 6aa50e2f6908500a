"""Clips through the networks, as the programs that embed and separate do."""

from data.run import environment

environment.prepare()

import pathlib  # noqa: E402
import tempfile  # noqa: E402

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from evaluate.serving import saved_model  # noqa: E402
from evaluate.serving.served_runs import ENCODER  # noqa: E402
from evaluate.serving.signatures import signatures  # noqa: E402
from models.embedding_model import EmbeddingModel  # noqa: E402
from models.frontend.log_mel import LogMel  # noqa: E402
from models.separation.separator import Separator  # noqa: E402
from tests.bench.work import Work  # noqa: E402


def _clips(count: int, seconds: float) -> np.ndarray:
    shape = (count, round(seconds * 16000))
    return np.random.default_rng(0).normal(0, 0.1, shape).astype("f4")


def log_mel(clips: int, seconds: float) -> Work:
    """In a graph, as in the networks."""
    frontend = LogMel()
    function = tf.function(frontend, jit_compile=False)
    waveform = _clips(clips, seconds)
    tensor = tf.constant(waveform)

    def turn():
        return {"log_mel": function(tensor).numpy()}

    given = {"waveform": waveform, "mel": frontend._mel_matrix}
    return Work(turn, given=given)


def embed(clips: int, seconds: float, width: float = 1.0) -> Work:
    """By the SavedModel, loaded without Keras."""
    model = EmbeddingModel(width=width)
    waveform = _clips(clips, seconds)
    given = {
        "windows": model.cut_windows(waveform).numpy(),
        "mel": model.frontend._mel_matrix,
        **{v.path: v.numpy() for v in model.trainable_variables},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "1")
        served = signatures({ENCODER: model})
        saved_model.write(served, path)
        loaded = tf.saved_model.load(str(path))
    tensor = tf.constant(waveform)

    def turn():
        answer = loaded.signatures["serving_default"](waveform=tensor)
        return {"embedding": answer["embedding"].numpy()}

    return Work(turn, given=given)


def separate(clips: int, seconds: float, **sizes) -> Work:
    """As separate_shards.py does; see `steps.separation`."""
    separator = Separator(num_sources=2, name="separator", **sizes)
    function = tf.function(separator, jit_compile=False)
    waveform = _clips(clips, seconds)
    tensor = tf.constant(waveform)

    def turn():
        return {"channels": function(tensor).numpy()}

    given = {v.path: v.numpy() for v in separator.trainable_variables}
    return Work(turn, given=given | {"clip": waveform})
