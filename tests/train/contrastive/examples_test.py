import itertools

import numpy as np
import pytest
import tensorflow as tf

from models.embedding_model import EmbeddingModel
from models.views.triplet_positive import NUM_DRAWS
from tests.train.loop.event_files import read_events, read_image, read_sound
from train.contrastive.contrastive_config import ContrastiveConfig
from train.contrastive.examples import ViewExamples
from train.contrastive.learner import ContrastiveLearner
from train.contrastive.view_pipeline import AUGMENT, NOISE, POSITIVE, VIEWS

RATE_HZ = 22050
FRAMES, BANDS = 96, 64


def _learner(make_views=None, **flags):
    model = EmbeddingModel(RATE_HZ, embedding_dim=5, width=1 / 64)
    return ContrastiveLearner(model, ContrastiveConfig(**flags), make_views)


def _batch(learner, size=6):
    rng = np.random.default_rng(0)
    samples = learner.embedding_model.window_samples
    draws = learner.spec_augment.num_draws if learner.spec_augment else 0
    return {
        VIEWS: rng.normal(0, 0.1, (size, 2, samples)).astype("f4"),
        AUGMENT: rng.uniform(size=(size, 2, draws)).astype("f4"),
    }


def _shown(folder, learner, batch, steps, every=10, seed=3):
    dataset = tf.data.Dataset.from_tensors((batch, {}))
    examples = ViewExamples(learner, dataset, every, seed)
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        for step in steps:
            examples(step)
    writer.close()
    return read_events(folder)


def test_pictures_are_what_the_encoder_gets_and_sounds_the_views(tmp_path):
    learner = _learner(spec_augment=False)
    batch = _batch(learner)
    found = _shown(tmp_path, learner, batch, [0])
    views = ("first", "second")
    assert {tag for tag, _ in found} == {
        f"views/clip_{clip}/{view}{end}"
        for clip, view, end in itertools.product(
            (1, 2, 3, 4), views, ("", "_sound")
        )
    }
    log_mel = learner.log_mel_views(batch).numpy().reshape(2, 6, FRAMES, BANDS)
    for clip, (view, name) in itertools.product(range(4), enumerate(views)):
        tag = f"views/clip_{clip + 1}/{name}"
        sound, rate_hz = read_sound(found[f"{tag}_sound", 0])
        assert rate_hz == RATE_HZ
        np.testing.assert_allclose(
            sound, batch[VIEWS][clip, view], atol=1 / 32767
        )
        image = read_image(found[tag, 0])
        assert image.shape == (BANDS, FRAMES, 3)
        # Green rises with the level; low bands below.
        shades = image[::-1, :, 1].T.astype(float)
        expected = log_mel[view, clip]
        assert np.corrcoef(shades.ravel(), expected.ravel())[0, 1] > 0.9


def test_augmentation_is_drawn_anew_each_time_from_the_seed(tmp_path):
    learner = _learner()
    batch = _batch(learner)
    first = _shown(tmp_path / "a", learner, batch, range(21))
    again = _shown(tmp_path / "b", learner, batch, [0, 20])
    other = _shown(tmp_path / "c", learner, batch, [0], seed=4)
    assert {step for _, step in first} == {0, 10, 20}
    pictures = {s: read_image(first["views/clip_1/first", s]) for s in (0, 20)}
    assert np.any(pictures[0] != pictures[20])
    assert np.any(pictures[0] != read_image(first["views/clip_1/second", 0]))
    assert np.any(pictures[0] != read_image(other["views/clip_1/first", 0]))
    sounds = [first["views/clip_1/first_sound", s][0, 0] for s in (0, 20)]
    assert sounds[0] == sounds[1]
    for key, value in again.items():
        np.testing.assert_array_equal(value, first[key])


def test_views_made_on_the_way_are_shown(tmp_path):
    learner = _learner(
        lambda batch: {VIEWS: batch["quiet"] * 2.0}, spec_augment=False
    )
    batch = _batch(learner)
    found = _shown(tmp_path, learner, {"quiet": batch[VIEWS] / 2}, [0])
    sound, _ = read_sound(found["views/clip_2/second_sound", 0])
    np.testing.assert_allclose(sound, batch[VIEWS][1, 1], atol=1 / 32767)


def test_a_triplet_shows_its_positive(tmp_path):
    learner = _learner(
        objective="triplet", comparison="mix_vs_mix", spec_augment=False
    )
    rng = np.random.default_rng(1)
    numbers = {
        POSITIVE: rng.uniform(size=(6, NUM_DRAWS)).astype("f4"),
        NOISE: rng.normal(size=(6, FRAMES, BANDS)).astype("f4"),
    }
    found = _shown(tmp_path, learner, _batch(learner) | numbers, [0, 10])
    pictures = [read_image(found["views/clip_3/second", s]) for s in (0, 10)]
    assert np.any(pictures[0] != pictures[1])


@pytest.mark.parametrize("every", [0, 10])
def test_nothing_is_read_where_nothing_is_shown(every):
    class _Unread:
        def __iter__(self):
            raise AssertionError

    examples = ViewExamples(_learner(), _Unread(), every, 0)
    for step in range(21):
        examples(step)  # There is no default writer.
