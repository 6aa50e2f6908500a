"""Steps with and without oneDNN, in alternation: make bench-onednn.

Two processes stand ready for each piece of work, one with each setting of
TF_ENABLE_ONEDNN_OPTS, and take turns. The figures are medians over the rounds
and their ratio; entry points choose by them (see data/run/environment.py).
"""

import os
import statistics
import subprocess
import sys
import timeit

from data.run import environment

ROUNDS = 5
SETTINGS = ("0", "1")
# A turn takes about so long: short work is done several times.
TURN_S = 1.0


def pretraining(width: float, pairs: int):
    """A step on views that are in memory."""
    from train.contrastive import noise_steps
    from train.contrastive.contrastive_config import ContrastiveConfig

    return noise_steps.make_step(
        ContrastiveConfig(width=width, batch_size=pairs)
    )


def separation(flags: dict, pairs: int, seconds: float):
    """A step on pairs of mixtures that are in memory."""
    import tensorflow as tf

    from train.loop import training_loop
    from train.loop.optimizers import make_optimizer
    from train.separation.learner import SeparationLearner
    from train.separation.separation_config import SeparationConfig

    config = SeparationConfig(batch_size=pairs, **flags)
    training_loop.prepare(config)
    learner = SeparationLearner(_separator(flags), config)
    learner.optimizer = make_optimizer(config, learner)
    step = tf.function(learner.train_step, jit_compile=False)
    batch = tf.random.normal((pairs, 2, round(seconds * 16000)), 0, 0.1)
    return lambda: float(step(batch)["loss"])


def embedding(width: float, clips: int):
    """Clips of 10 s, as a SavedModel or `embed.py` encodes them."""
    import tensorflow as tf

    from models.embedding_model import EmbeddingModel

    model = tf.function(EmbeddingModel(width=width), jit_compile=False)
    clips = tf.random.normal((clips, 160000), 0, 0.1)
    return lambda: model(clips).numpy()


def separating(flags: dict):
    """A clip of 10 s, as separate_shards.py separates it."""
    import tensorflow as tf

    separator = tf.function(_separator(flags), jit_compile=False)
    clip = tf.random.normal((1, 160000), 0, 0.1)
    return lambda: separator(clip).numpy()


def classifier():
    """The probe's hidden layer: 25 steps of 32 clips of 19 windows."""
    import numpy as np

    from evaluate.embeddings.embedding_store import EmbeddingStore
    from evaluate.measures.comparison_config import ProbeConfig
    from evaluate.measures.probe_classifier import train_classifier

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
    return lambda: train_classifier(store, config)


def _separator(flags: dict):
    from models.separation.separator import Separator

    return Separator(num_sources=2, sample_rate_hz=16000, **flags)


DEMO = {
    "basis": "stft",
    "bottleneck": 64,
    "conv_channels": 128,
    "num_repeats": 2,
}
WORK = {
    "pretraining, width 1, 2 x 16 views": (pretraining, 1.0, 16),
    "pretraining, width 1/4, 2 x 128 views": (pretraining, 0.25, 128),
    "pretraining, width 1/8, 2 x 64 views (demo)": (pretraining, 0.125, 64),
    "separation, published, 2 x 2 s": (separation, {}, 2, 2.0),
    "separation, demo, 8 x 2.5 s": (separation, DEMO, 8, 2.5),
    "probe's classifier, one epoch": (classifier,),
    "embedding, width 1, 1 clip": (embedding, 1.0, 1),
    "embedding, width 1, 16 clips": (embedding, 1.0, 16),
    "embedding, width 1/8, 1 clip": (embedding, 0.125, 1),
    "embedding, width 1/8, 16 clips": (embedding, 0.125, 16),
    "separating, published, 1 clip": (separating, {}),
    "separating, demo, 1 clip": (separating, DEMO),
}


class Turns:
    """A process with one setting, which works when it is asked to."""

    def __init__(self, name: str, setting: str):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.onednn_bench", name],
            env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": setting},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def take(self) -> float:
        """Seconds that the work took."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def end(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def serve(name: str) -> None:
    """The life of such a process."""
    make, *arguments = WORK[name]
    work = make(*arguments)
    work()
    repeats = max(1, round(TURN_S / timeit.timeit(work, number=1)))
    for _ in sys.stdin:
        print(timeit.timeit(work, number=repeats) / repeats, flush=True)


def main() -> None:
    environment.prepare()
    if len(sys.argv) == 2:
        serve(sys.argv[1])
        return
    from tests.bench import machine

    print(machine.description())
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA")
    print(f"oneDNN takes instructions up to {limit or 'all there are'}\n")
    print(f"{'ms, median of ' + str(ROUNDS):44}     off      on  off/on")
    for name in WORK:
        pair = [Turns(name, setting) for setting in SETTINGS]
        rounds = [[turns.take() for turns in pair] for _ in range(ROUNDS)]
        for turns in pair:
            turns.end()
        off, on = map(statistics.median, zip(*rounds, strict=True))
        print(
            f"{name:44}{1e3 * off:8.1f}{1e3 * on:8.1f}{off / on:8.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
