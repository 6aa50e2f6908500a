"""An encoder that one set of packages writes and another one loads.

python -m tests.evaluate.serving.exchanged_model write|check FOLDER

`check` prints the largest difference to what the writer computed.
"""

import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf

from evaluate.serving import saved_model
from evaluate.serving.served_runs import ENCODER
from models.embedding_model import EmbeddingModel


def write(folder: pathlib.Path) -> None:
    folder.mkdir()
    keras.utils.set_random_seed(0)
    model = EmbeddingModel(width=0.0625, embedding_dim=8)
    random = np.random.default_rng(0)
    waveform = random.normal(0, 0.1, (3, 40000)).astype("f4")
    model.save(folder / "embedding_model.keras")
    served = saved_model.signatures({ENCODER: model})
    saved_model.write(served, folder / "saved_model")
    np.savez(
        folder / "expected.npz", waveform=waveform, embedding=model(waveform)
    )


def check(folder: pathlib.Path) -> float:
    expected = np.load(folder / "expected.npz")
    waveform = tf.constant(expected["waveform"])
    loaded = tf.saved_model.load(str(folder / "saved_model"))
    answer = loaded.signatures["serving_default"](waveform=waveform)
    model = keras.saving.load_model(folder / "embedding_model.keras")
    return max(
        float(np.abs(embedding - expected["embedding"]).max())
        for embedding in (answer["embedding"], model(waveform))
    )


if __name__ == "__main__":
    command, path = sys.argv[1:]
    print({"write": write, "check": check}[command](pathlib.Path(path)))
