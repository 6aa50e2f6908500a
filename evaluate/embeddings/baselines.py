"""What an encoder has to beat: itself untrained, and log-mel statistics."""

import dataclasses
import json
from collections.abc import Sequence

import keras
from keras import ops

from data.run.errors import UserError
from evaluate.embeddings.encoders import (
    LOG_MEL_STATISTICS,
    UNTRAINED,
    Representation,
)
from models.embedding_model import EmbeddingModel


def make_baselines(
    kinds: Sequence[str], encoders: Sequence[Representation], seed: int
) -> list[Representation]:
    """The baselines of each encoder; those that agree are made once.

    Args:
      kinds: `UNTRAINED`, `LOG_MEL_STATISTICS`, or both.
      encoders: what they stand beside; their embeddings are kept beside those
        of the first encoder they belong to.
      seed: of the untrained weights.

    Raises:
      UserError: a kind is unknown.
    """
    makers = {UNTRAINED: untrained, LOG_MEL_STATISTICS: log_mel_statistics}
    baselines = {}
    for kind in kinds:
        if kind not in makers:
            raise UserError(
                f"--baselines has no {kind!r}: it knows " + ", ".join(makers)
            )
        for encoder in encoders:
            baseline = makers[kind](encoder, seed)
            baselines.setdefault(baseline.identity, (baseline, encoder))
    kinds_made = [baseline.kind for baseline, _ in baselines.values()]
    return [
        # Encoders of several shapes: say whose baseline this is.
        dataclasses.replace(baseline, name=f"{baseline.kind} ({owner.name})")
        if kinds_made.count(baseline.kind) > 1
        else baseline
        for baseline, owner in baselines.values()
    ]


def untrained(encoder: Representation, seed: int) -> Representation:
    """The encoder's network with fresh weights."""
    config = encoder.model.get_config()
    keras.utils.set_random_seed(seed)
    model = EmbeddingModel.from_config(config)
    facts = {**config, "name": None, "seed": seed}
    return _beside(
        encoder, UNTRAINED, facts, model=model, encode_batch=model.encode
    )


def log_mel_statistics(encoder: Representation, seed: int) -> Representation:
    """Mean and deviation of each mel band over a window's frames: 2 x bands.

    Nothing is random here; `seed` is not used.
    """
    del seed
    model = encoder.model
    frontend = model.frontend

    def encode_batch(windows):
        log_mel = frontend(windows)  # (N, frames, bands)
        mean = ops.mean(log_mel, axis=1)
        return ops.concatenate([mean, ops.std(log_mel, axis=1)], axis=-1)

    facts = {
        **frontend.get_config(),
        "window_samples": model.window_samples,
        "window_hop_samples": model.window_hop_samples,
    }
    return _beside(
        encoder, LOG_MEL_STATISTICS, facts, encode_batch=encode_batch
    )


def _beside(
    encoder: Representation, kind: str, facts: dict, **changes
) -> Representation:
    """Like the encoder but for its vectors, which follow from the facts."""
    identity = json.dumps([kind, keras.__version__, facts], sort_keys=True)
    changes |= {"name": kind, "kind": kind, "identity": identity}
    return dataclasses.replace(encoder, encoder=None, **changes)
