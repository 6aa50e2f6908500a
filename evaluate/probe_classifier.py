"""Trains the shallow classifier on an embedding store, and scores clips."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from evaluate.embedding_store import EmbeddingStore
from models.heads.shallow_classifier import ShallowClassifier

_SCORING_ROWS = 8192


@dataclasses.dataclass(frozen=True)
class ProbeTraining:
    """How the classifier is trained (our choices, one for all rows)."""

    hidden_units: int = 512
    epochs: int = 50
    batch_size: int = 64
    learning_rate: float = 1e-3
    seed: int = 0


def train_classifier(
    store: EmbeddingStore, training: ProbeTraining
) -> ShallowClassifier:
    """Fits a classifier to windows that carry their clip's labels.

    Adam on binary cross-entropy, for a fixed number of epochs: nothing is
    chosen by looking at other data. The same seed gives the same classifier.
    """
    keras.utils.set_random_seed(training.seed)
    classifier = ShallowClassifier(
        store.windows.shape[1], store.labels.shape[1], training.hidden_units
    )
    classifier.adapt(store.windows)
    optimizer = keras.optimizers.Adam(training.learning_rate)
    optimizer.build(classifier.trainable_variables)

    @tf.function(autograph=False)
    def step(windows, labels):
        with tf.GradientTape() as tape:
            logits = classifier(windows, training=True)
            loss = tf.reduce_mean(
                tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)
            )
        variables = classifier.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)

    random = np.random.default_rng(training.seed)
    window_count = len(store.windows)
    batch_size = min(training.batch_size, window_count)
    for _ in range(training.epochs):
        # What does not fill a batch is left out, other windows each epoch.
        order = random.permutation(window_count)
        for start in range(0, window_count - batch_size + 1, batch_size):
            rows = order[start : start + batch_size]
            labels = store.labels[store.window_clip[rows]]
            step(
                tf.constant(store.windows[rows]),
                tf.constant(labels, tf.float32),
            )
    return classifier


def score_clips(
    classifier: ShallowClassifier, store: EmbeddingStore
) -> np.ndarray:
    """Clip scores (clips, C): means of the windows' sigmoid outputs."""
    scores = [
        tf.sigmoid(classifier(store.windows[start : start + _SCORING_ROWS]))
        for start in range(0, len(store.windows), _SCORING_ROWS)
    ]
    return store.mean_over_windows(np.concatenate(scores))
