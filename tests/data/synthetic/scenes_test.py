import numpy as np
import pytest

from data.synthetic import scenes, sounds
from data.synthetic.scenes import (
    BACKGROUNDS,
    CLASS_NAMES,
    SCENE_TYPES,
    generate_scene,
    synthesize,
)

RATE_HZ = 16000


def test_scene_depends_on_its_arguments_only():
    in_order = [generate_scene(7, index).audio for index in range(3)]
    backwards = [generate_scene(7, index).audio for index in (2, 1, 0)][::-1]
    np.testing.assert_array_equal(in_order, backwards)
    assert not np.array_equal(in_order[0], in_order[1])
    assert not np.array_equal(in_order[0], generate_scene(8, 0).audio)


@pytest.mark.parametrize("index", range(4))
def test_stems_sum_to_audio_and_name_the_labels(index):
    scene = generate_scene(0, index)
    assert scene.audio.dtype == scene.stems.dtype == np.float32
    assert scene.stems.shape == (len(scene.stem_names), 80000)
    np.testing.assert_array_equal(scene.audio, scene.stems.sum(axis=0))
    *names, background = scene.stem_names
    assert 1 <= len(names) <= 4
    assert scene.labels == tuple(sorted(set(names)))
    assert set(scene.labels) <= set(CLASS_NAMES)
    prefix, kind = background.split(":")
    assert prefix == "background" and kind in BACKGROUNDS
    assert np.abs(scene.stems).max(axis=1).min() > 0


@pytest.mark.parametrize("rate_hz", [4000, 16000, 22050])
@pytest.mark.parametrize("seconds", [0.013, 1.0, 10.0])
def test_any_duration_and_rate(rate_hz, seconds):
    for index in range(6):
        scene = generate_scene(3, index, seconds, rate_hz)
        assert scene.audio.shape == (round(seconds * rate_hz),)
        assert np.isfinite(scene.stems).all()
        assert 0.1 < np.abs(scene.audio).max() <= 0.95


@pytest.mark.parametrize("name", CLASS_NAMES + BACKGROUNDS)
def test_every_sound_survives_short_lengths(name):
    """The last instance of a scene may be a single sample."""
    for num_samples in (1, 2, 37, 4001):
        for seed in range(5):
            rng = np.random.default_rng(seed)
            audio = synthesize(name, rng, num_samples, 4000)
            assert audio.shape == (num_samples,)
            assert np.isfinite(audio).all()


def test_sounds_are_those_of_before():
    """RMS of 3 s, and their projection on noise, which any change changes."""
    expected = {
        "alarm_beeps": (0.41142, 0.47061),
        "bell": (0.42760, -0.35306),
        "bird_chirps": (0.25303, -0.05929),
        "crackle": (0.31963, -0.44900),
        "cricket": (0.27258, -0.06005),
        "dog_bark": (0.13396, 0.00147),
        "engine": (0.10800, 0.17640),
        "footsteps": (0.18250, 0.22996),
        "knocking": (0.19038, 0.24073),
        "siren": (0.25822, 0.09752),
        "speech": (0.41975, 0.26301),
        "telephone_ring": (0.42173, 0.64984),
        "water_drips": (0.09069, -0.04398),
        "whoosh": (0.20071, 0.07494),
        "colored_noise": (0.99639, -0.30496),
        "hum": (1.19642, 0.96414),
        "rain": (1.30662, 0.96342),
        "wind": (0.25242, -0.53990),
    }
    assert CLASS_NAMES + BACKGROUNDS == tuple(expected)
    noise = np.random.default_rng(0).standard_normal(3 * RATE_HZ)
    for name, values in expected.items():
        rng = np.random.default_rng(7)
        audio = getattr(sounds, name)(rng, noise.size, RATE_HZ)
        projection = noise @ audio / np.sqrt(noise.size)
        found = np.sqrt(np.mean(np.square(audio))), projection
        np.testing.assert_allclose(found, values, atol=2e-5, err_msg=name)


def test_level_bounds_are_kept(monkeypatch):
    """With equal bounds, events stand at that level where active."""
    monkeypatch.setattr(scenes, "MIN_LEVEL_DB", 12.0)
    monkeypatch.setattr(scenes, "MAX_LEVEL_DB", 12.0)
    levels_db = []
    for index in range(20):
        stems = generate_scene(1, index).stems
        # In blocks of 50 ms.
        powers = np.square(stems.reshape(len(stems), 100, 800)).mean(axis=2)
        active = [p[p >= 0.01 * p.max()].mean() for p in powers]
        levels_db.extend(10 * np.log10(np.array(active[:-1]) / active[-1]))
    assert np.mean(levels_db) == pytest.approx(12.0, abs=0.7)
    # Instances of event and background vary by 3 dB either way.
    np.testing.assert_allclose(levels_db, 12.0, atol=7.0)


def test_every_class_occurs_and_co_occurrence_is_uneven():
    # Labels do not need long audio.
    labels = [generate_scene(0, k, 0.05, 4000).labels for k in range(500)]
    # (scenes, classes)
    present = np.array(
        [[float(name in found) for name in CLASS_NAMES] for found in labels]
    )
    rates = present.mean(axis=0)
    # 2.5 events over 14 classes: 0.18 on average.
    assert rates.min() > 0.1 and rates.max() < 0.3
    # How much more often two classes meet than if they were independent.
    lift = present.T @ present / len(present) / np.outer(rates, rates)
    # (types, classes)
    own = np.array(
        [
            [name in names for name in CLASS_NAMES]
            for names, _ in SCENE_TYPES.values()
        ]
    )
    shared = own.T @ own
    np.fill_diagonal(lift, np.nan)
    assert np.nanmean(lift[shared]) > 1.3
    assert np.nanmean(lift[~shared]) < 0.6
