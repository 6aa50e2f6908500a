import itertools

import numpy as np
import tensorflow as tf

from tests.train.contrastive.small_learner import (
    BANDS,
    FRAMES,
    make_batch,
    make_learner,
)
from tests.train.loop.event_files import events_of, read_image, read_sound
from train.contrastive.examples import ViewExamples
from train.contrastive.view_pipeline import VIEWS

RATE_HZ = 22050


def _learner(objective="joint", make_views=None, **flags):
    model = {"sample_rate_hz": RATE_HZ, "window_frames": FRAMES}
    return make_learner(objective, make_views, model, **flags)


def _shown(folder, learner, batch, steps, every=10, seed=3):
    dataset = tf.data.Dataset.from_tensors((batch, {}))
    examples = ViewExamples(learner, lambda step: dataset, every, seed)
    return events_of(folder, examples, steps)


def test_pictures_are_what_the_encoder_gets_and_sounds_the_views(tmp_path):
    learner = _learner(spec_augment=False)
    batch = make_batch(learner)
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
    batch = make_batch(learner)
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
        make_views=lambda batch: {VIEWS: batch["quiet"] * 2.0},
        spec_augment=False,
    )
    batch = make_batch(learner)
    found = _shown(tmp_path, learner, {"quiet": batch[VIEWS] / 2}, [0])
    sound, _ = read_sound(found["views/clip_2/second_sound", 0])
    np.testing.assert_allclose(sound, batch[VIEWS][1, 1], atol=1 / 32767)


def test_a_triplet_shows_its_positive(tmp_path):
    learner = _learner("triplet", spec_augment=False)
    found = _shown(tmp_path, learner, make_batch(learner), [0, 10])
    pictures = [read_image(found["views/clip_3/second", s]) for s in (0, 10)]
    assert np.any(pictures[0] != pictures[1])
