"""Trains the shallow classifier on an embedding store, and scores clips."""

import keras
import numpy as np
import tensorflow as tf

from evaluate.embeddings.embedding_store import EmbeddingStore
from evaluate.measures.comparison_config import ProbeConfig
from models.heads.shallow_classifier import ShallowClassifier

_SCORING_ROWS = 8192
# Keeps the logarithm of a saturated score finite in float32.
_EPSILON = 1e-6


def train_classifier(
    store: EmbeddingStore, config: ProbeConfig
) -> ShallowClassifier:
    """Fits a classifier so that clip scores agree with clip labels.

    A clip's score is the mean over its windows, in training as in the
    measure: labels say what is in a clip, not in which window. Adam on binary
    cross-entropy, for a fixed number of epochs: nothing is chosen by looking
    at other data. The same seed gives the same classifier.
    """
    keras.utils.set_random_seed(config.seed)
    (_, width), (num_clips, classes) = store.windows.shape, store.labels.shape
    classifier = ShallowClassifier(width, classes, config.hidden_units)
    classifier.adapt(store.windows)
    optimizer = keras.optimizers.Adam(config.learning_rate)
    optimizer.build(classifier.trainable_variables)

    @tf.function(
        autograph=False,
        input_signature=[
            tf.RaggedTensorSpec([None, None, width], ragged_rank=1),
            tf.TensorSpec([None, classes]),
        ],
    )
    def step(windows, labels):
        with tf.GradientTape() as tape:
            scores = tf.sigmoid(classifier(windows.values, training=True))
            # (clips, C)
            of_clip = tf.math.segment_mean(scores, windows.value_rowids())
            right = tf.math.log(of_clip + _EPSILON)
            wrong = tf.math.log(1 - of_clip + _EPSILON)
            # Binary cross-entropy.
            loss = -tf.reduce_mean(labels * right + (1 - labels) * wrong)
        variables = classifier.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)

    random = np.random.default_rng(config.seed)
    windows = tf.RaggedTensor.from_value_rowids(
        store.windows, store.window_clip, num_clips
    )
    labels = store.labels.astype(np.float32)
    batch_size = min(config.batch_size, num_clips)
    for _ in range(config.epochs):
        # What does not fill a batch is left out, other clips each epoch.
        order = random.permutation(num_clips)
        for start in range(0, num_clips - batch_size + 1, batch_size):
            clips = order[start : start + batch_size]
            step(tf.gather(windows, clips), labels[clips])
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
