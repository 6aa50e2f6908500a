"""Loads encoders."""

import functools
import hashlib
import pathlib
from collections.abc import Sequence

import keras

from data.run.encoder_files import model_file
from data.run.errors import UserError
from evaluate.embeddings.encoder_runs import unique_names
from evaluate.embeddings.representation import ENCODER, Representation
from models.embedding_model import EmbeddingModel


def load_model(run: str | pathlib.Path) -> EmbeddingModel:
    """The model of an encoder's run directory.

    Raises:
      UserError: `run` is no such directory, or its model is missing or
        damaged.
    """
    file = model_file(run)
    model = keras.saving.load_model(file, compile=False)
    if not isinstance(model, EmbeddingModel):
        raise UserError(f"{file} holds a {type(model).__name__}, no encoder")
    return model


def load_encoders(runs: Sequence[str]) -> list[Representation]:
    """The encoders of several run directories, under unique names.

    Raises:
      UserError: see `load_model` and `unique_names`.
    """
    encoders = []
    for run, name in zip(runs, unique_names(runs), strict=True):
        model = load_model(run)
        with model_file(run).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        encoders.append(
            Representation(
                name=name,
                kind=ENCODER,
                identity=digest,
                cache=str(pathlib.Path(run) / "embeddings"),
                model=model,
                encode_batch=model.encode,
                encoder=str(run),
            )
        )
    return encoders


@functools.cache
def kept_encoder(run: str, identity: str) -> Representation:
    """The encoder of a run directory, loaded once in each process.

    Raises:
      UserError: see `load_model`; or the directory holds another encoder.
    """
    [encoder] = load_encoders([run])
    if encoder.identity != identity:
        raise UserError(
            f"{run} holds another encoder than when the job was started"
        )
    return encoder
