"""The probe's classifier on random embeddings."""

from data.run import environment

environment.prepare()

import numpy as np  # noqa: E402

from evaluate.embeddings.embedding_store import EmbeddingStore  # noqa: E402
from evaluate.measures.comparison_config import ProbeConfig  # noqa: E402
from evaluate.measures.probe_classifier import train_classifier  # noqa: E402
from tests.bench.work import Work  # noqa: E402


def classifier() -> Work:
    """An epoch of its hidden layer: 25 steps of 32 clips of 19 windows."""
    random = np.random.default_rng(0)
    clips, windows = 800, 19
    store = EmbeddingStore(
        windows=random.normal(size=(clips * windows, 128)).astype("f4"),
        window_clip=np.repeat(np.arange(clips), windows),
        clip_ids=tuple(map(str, range(clips))),
        labels=random.integers(0, 2, (clips, 50)).astype("u1"),
        class_names=tuple(map(str, range(50))),
    )
    config = ProbeConfig(output="none", epochs=1)
    return Work(lambda: train_classifier(store, config), answer={})
