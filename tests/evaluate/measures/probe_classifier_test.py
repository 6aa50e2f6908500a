import dataclasses

import numpy as np
import pytest

from evaluate.embeddings.embedding_store import EmbeddingStore
from evaluate.measures.comparison_config import ProbeConfig
from evaluate.measures.probe_classifier import score_clips, train_classifier
from models.metrics.average_precision import (
    average_precision,
    mean_over_classes,
)

CONFIG = ProbeConfig(
    output="none",
    hidden_units=32,
    epochs=40,
    batch_size=32,
    learning_rate=1e-2,
)


def toy_store(seed, separation, clips=120, classes=3, dim=5, windows=2):
    """Each clip's windows are noise, moved along an axis for each label."""
    random = np.random.default_rng(seed)
    labels = (random.uniform(size=(clips, classes)) < 0.4).astype(np.uint8)
    window_clip = np.repeat(np.arange(clips), windows)
    moved = 100 + random.normal(size=(clips * windows, dim))
    moved[:, :classes] += separation * labels[window_clip]
    return EmbeddingStore(
        windows=moved.astype(np.float32),
        window_clip=window_clip,
        clip_ids=tuple(map(str, range(clips))),
        labels=labels,
        class_names=tuple("abc"),
    )


def probe_map(training_store, held_out):
    classifier = train_classifier(training_store, CONFIG)
    scores = score_clips(classifier, held_out)
    return mean_over_classes(average_precision(held_out.labels, scores))


def test_separable_embeddings_reach_one():
    assert probe_map(toy_store(0, 12.0), toy_store(1, 12.0)) == 1.0


def test_embeddings_without_information_stay_at_the_prior():
    held_out = toy_store(1, 0.0, clips=600)
    prior = held_out.labels.mean()
    value = probe_map(toy_store(0, 0.0), held_out)
    assert value == pytest.approx(prior, abs=0.06)


def test_the_scale_of_a_representation_does_not_matter():
    store, held_out = toy_store(0, 1.0), toy_store(1, 1.0)
    scores = []
    for scale in (1.0, 1024.0):  # A power of two: exact in float32.
        train, test = (
            dataclasses.replace(s, windows=s.windows * np.float32(scale))
            for s in (store, held_out)
        )
        scores.append(score_clips(train_classifier(train, CONFIG), test))
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-4)


def test_clip_score_is_the_mean_of_its_windows_sigmoids():
    store = toy_store(0, 1.0, clips=7, windows=3)
    config = ProbeConfig(output="none", epochs=1)
    classifier = train_classifier(store, config)
    logits = np.asarray(classifier(store.windows), np.float64)
    sigmoids = (1 / (1 + np.exp(-logits))).reshape(7, 3, 3)
    np.testing.assert_allclose(
        score_clips(classifier, store), sigmoids.mean(axis=1), atol=1e-6
    )
