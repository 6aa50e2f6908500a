"""Starts an encoder from the weights of another run's."""

from absl import logging

from data.run import encoder_files, saved_network
from data.run.errors import UserError
from models.embedding_model import EmbeddingModel


def copy_weights(run: str, model: EmbeddingModel) -> None:
    """Copies the CNN14 of a run into `model`, layer by layer.

    The bottleneck is copied if both have one of the same size, and stays as
    it is if not. Windows may differ.

    Raises:
      UserError: `run` has no encoder, or one of another network.
    """
    source = saved_network.load(encoder_files.model_file(run), EmbeddingModel)
    theirs, ours = source.get_config(), model.get_config()
    for flag in ("frontend", "width", "hidden_layer", "sample_rate_hz"):
        if theirs[flag] != ours[flag]:
            where = "--shards" if flag == "sample_rate_hz" else "this run"
            raise UserError(
                f"--initial_encoder={run} was made with --{flag}="
                f"{theirs[flag]}, {where} has --{flag}={ours[flag]}: give both "
                "the same"
            )
    copies = {layer.name: layer for layer in model.encoder.layers}
    note = "the bottleneck too"
    their_dim, our_dim = theirs["embedding_dim"], ours["embedding_dim"]
    if their_dim != our_dim:
        copies.pop("bottleneck", None)
        note = (
            f"not the bottleneck, which is {their_dim} there and {our_dim} here"
        )
    for layer in source.encoder.layers:
        if layer.name in copies:
            copies[layer.name].set_weights(layer.get_weights())
    logging.info("CNN14 starts from %s: %s", run, note)
