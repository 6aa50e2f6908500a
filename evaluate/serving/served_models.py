"""The models that one SavedModel serves, loaded."""

import dataclasses
import pathlib

import keras
import numpy as np

from data.run.errors import UserError
from evaluate.serving.served_runs import CLASSIFIER, ENCODER, SEPARATOR
from models.embedding_model import EmbeddingModel

# Imported so that Keras can load it.
from models.heads import linear_classifier  # noqa: F401
from models.separation.separator import Separator


@dataclasses.dataclass(frozen=True)
class ServedModels:
    """At least one of encoder and separator; both are for one rate.

    Attributes:
      encoder: waveform to embedding.
      classifier: h (N, embedding_dim) -> scores (N, num_classes) from 0 to 1;
        only with an encoder.
      separator: waveform to channels.
      num_classes: of the classifier; 0 without one.
    """

    encoder: EmbeddingModel | None = None
    classifier: keras.Model | None = None
    separator: Separator | None = None
    num_classes: int = 0

    @property
    def sample_rate_hz(self) -> int:
        return (self.encoder or self.separator).sample_rate_hz


def load(files: dict[str, pathlib.Path]) -> ServedModels:
    """Loads what `served_runs.find` found.

    Raises:
      UserError: a file holds another kind of model, or encoder and separator
        are for different sample rates.
    """
    models = {
        part: keras.saving.load_model(file, compile=False)
        for part, file in files.items()
    }
    for part, kind in ((ENCODER, EmbeddingModel), (SEPARATOR, Separator)):
        if part in models and not isinstance(models[part], kind):
            raise UserError(
                f"{files[part]} holds a {type(models[part]).__name__}, no "
                f"{part}"
            )
    rates = {
        part: models[part].sample_rate_hz
        for part in (ENCODER, SEPARATOR)
        if part in models
    }
    if len(set(rates.values())) > 1:
        raise UserError(
            f"the encoder is for {rates[ENCODER]} Hz, the separator "
            f"{files[SEPARATOR]} for {rates[SEPARATOR]} Hz, and a SavedModel "
            "takes one rate: export them one by one"
        )
    num_classes = 0
    if CLASSIFIER in models:
        h = np.zeros((1, models[ENCODER].embedding_dim), np.float32)
        try:
            num_classes = models[CLASSIFIER](h).shape[1]
        except Exception as error:
            raise UserError(
                f"{files[CLASSIFIER]} does not take embeddings of "
                f"{h.shape[1]} dimensions: make it for this encoder"
            ) from error
    return ServedModels(**models, num_classes=num_classes)
