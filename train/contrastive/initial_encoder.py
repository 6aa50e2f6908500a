"""Starts an encoder from the weights of another run's."""

import keras
from absl import logging

from data.run import encoder_files
from data.run.errors import UserError
from models.embedding_model import EmbeddingModel


def copy_weights(run: str, model: EmbeddingModel) -> None:
    """Copies the CNN14 of a run into `model`, layer by layer.

    The bottleneck is copied if both have one of the same size, and stays as
    it is if not. Windows may differ.

    Raises:
      UserError: `run` has no encoder, or one of another network.
    """
    source = keras.saving.load_model(
        encoder_files.model_file(run), compile=False
    )
    for flag, attribute, where in (
        ("frontend", "frontend_name", "this run has"),
        ("width", "width", "this run has"),
        ("hidden_layer", "hidden_layer", "this run has"),
        ("sample_rate_hz", "sample_rate_hz", "--shards has"),
    ):
        theirs, ours = getattr(source, attribute), getattr(model, attribute)
        if theirs != ours:
            raise UserError(
                f"--initial_encoder={run} was made with --{flag}={theirs}, "
                f"{where} --{flag}={ours}: give both the same"
            )
    theirs, ours = source.encoder, model.encoder
    copies = {layer.name: layer for layer in ours.layers}
    note = "the bottleneck too"
    if theirs.bottleneck_dim != ours.bottleneck_dim:
        copies.pop("bottleneck", None)
        note = (
            f"not the bottleneck, which is {theirs.bottleneck_dim} there and "
            f"{ours.bottleneck_dim} here"
        )
    for layer in theirs.layers:
        if layer.name in copies:
            copies[layer.name].set_weights(layer.get_weights())
    logging.info("CNN14 starts from %s: %s", run, note)
