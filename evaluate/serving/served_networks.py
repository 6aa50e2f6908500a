"""The networks that are served, from their files."""

import pathlib
from collections.abc import Mapping

import keras
import numpy as np

from data.run import saved_network
from data.run.errors import UserError
from evaluate.serving.served_runs import CLASSIFIER, ENCODER, SEPARATOR
from models.embedding_model import EmbeddingModel

# Imported so that Keras can load it.
from models.heads import linear_classifier  # noqa: F401
from models.separation.separator import Separator


def load(files: Mapping[str, pathlib.Path]) -> dict[str, keras.Model]:
    """The networks of some files, by part.

    Args:
      files: from `served_runs.find`.

    Raises:
      UserError: a file holds another kind of model, or the models do not go
        together.
    """
    kinds = {ENCODER: EmbeddingModel, SEPARATOR: Separator}
    models = {
        part: saved_network.load(file, kinds.get(part, keras.Model))
        for part, file in files.items()
    }
    rates = [models[part].sample_rate_hz for part in kinds if part in models]
    if len(set(rates)) > 1:
        raise UserError(
            f"the encoder is for {rates[0]} Hz, the separator "
            f"{files[SEPARATOR]} for {rates[1]} Hz, and a SavedModel takes one "
            "rate: export them one by one"
        )
    if CLASSIFIER in models:
        try:
            num_classes(models[ENCODER], models[CLASSIFIER])
        except Exception as error:
            raise UserError(
                f"{files[CLASSIFIER]} does not take embeddings of "
                f"{models[ENCODER].embedding_dim} dimensions: make it for this "
                "encoder"
            ) from error
    return models


def num_classes(encoder: EmbeddingModel, classifier: keras.Model) -> int:
    """Of a classifier; raises whatever it does where it takes no such h."""
    return classifier(np.zeros((1, encoder.embedding_dim), "f4")).shape[1]
