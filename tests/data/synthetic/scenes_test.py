"""Tests of the synthetic scenes: what they promise and what classes are."""

import dataclasses
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from scipy import signal

from data.synthetic import noisy_events, pitched_events
from data.synthetic.backgrounds import (
    BACKGROUND_SYNTHESIZERS,
    synthesize_background,
)
from data.synthetic.events import EVENT_SYNTHESIZERS, synthesize_event
from data.synthetic.scenes import (
    CLASS_NAMES,
    SCENE_TYPES,
    SceneConfig,
    generate_scene,
)

_RATE_HZ = 16000
# Labels do not need long audio.
_SHORT = SceneConfig(seconds=0.05, sample_rate_hz=4000)


def _event(name: str, seed: int, seconds: float = 8.0) -> np.ndarray:
    """Returns an uncolored event, as its function makes it."""
    return EVENT_SYNTHESIZERS[name](
        np.random.default_rng(seed), round(seconds * _RATE_HZ), _RATE_HZ
    )


def _envelope(audio: np.ndarray, block_s: float = 0.005) -> np.ndarray:
    """RMS in consecutive blocks, (blocks,)."""
    block = round(block_s * _RATE_HZ)
    blocks = audio[: audio.size // block * block].reshape(-1, block)
    return np.sqrt(np.mean(blocks**2, axis=1))


def _strongest_hz(
    series: np.ndarray, rate_hz: float, low_hz: float, high_hz: float
) -> float:
    """Frequency of the strongest component between two bounds."""
    power = np.abs(np.fft.rfft((series - series.mean()), 8 * series.size))
    hz = np.fft.rfftfreq(8 * series.size, 1.0 / rate_hz)
    inside = (hz >= low_hz) & (hz <= high_hz)
    return float(hz[inside][np.argmax(power[inside])])


def _onsets_s(audio: np.ndarray, threshold: float = 0.25) -> np.ndarray:
    """Times at which the 5 ms envelope rises above a share of its peak."""
    loud = _envelope(audio) > threshold * _envelope(audio).max()
    return np.flatnonzero(np.diff(loud.astype(int), prepend=0) == 1) * 0.005


def _pitch_hz(audio: np.ndarray) -> np.ndarray:
    """Instantaneous frequency of a pure tone, median of 10 ms blocks."""
    phase = np.unwrap(np.angle(signal.hilbert(audio)))
    hz = np.diff(phase) * _RATE_HZ / (2 * np.pi)
    block = round(0.01 * _RATE_HZ)
    return np.median(hz[: hz.size // block * block].reshape(-1, block), 1)


@pytest.fixture
def pure_tones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips pitched events of their overtones, so that pitch is plain."""
    monkeypatch.setattr(
        pitched_events, "random_rolloff", lambda rng, n: np.ones(1)
    )


def test_scene_depends_on_its_arguments_only():
    in_order = [generate_scene(7, index).audio for index in range(3)]
    backwards = [generate_scene(7, index).audio for index in (2, 1, 0)][::-1]
    np.testing.assert_array_equal(in_order, backwards)
    assert not np.array_equal(in_order[0], in_order[1])
    assert not np.array_equal(in_order[0], generate_scene(8, 0).audio)


def test_scene_is_the_same_in_another_process():
    script = (
        "from data.synthetic.scenes import generate_scene;"
        "scene = generate_scene(7, 2);"
        "print(scene.audio.tobytes().hex(), *scene.stem_names)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=True,
        text=True,
        cwd=pathlib.Path(__file__).parents[3],
    ).stdout.split()
    scene = generate_scene(7, 2)
    assert bytes.fromhex(printed[0]) == scene.audio.tobytes()
    assert tuple(printed[1:]) == scene.stem_names


@pytest.mark.parametrize("index", range(12))
def test_stems_sum_to_audio_and_name_the_labels(index: int):
    scene = generate_scene(0, index)
    assert scene.audio.dtype == scene.stems.dtype == np.float32
    assert scene.stems.shape == (len(scene.stem_names), 80000)
    np.testing.assert_array_equal(scene.audio, scene.stems.sum(axis=0))
    *events, background = scene.stem_names
    assert 1 <= len(events) <= 4
    assert scene.labels == tuple(sorted(set(events)))
    assert set(scene.labels) <= set(CLASS_NAMES)
    prefix, kind = background.split(":")
    assert prefix == "background" and kind in BACKGROUND_SYNTHESIZERS
    assert np.abs(scene.stems).max(axis=1).min() > 0


@pytest.mark.parametrize("sample_rate_hz", [4000, 8000, 16000, 22050])
@pytest.mark.parametrize("seconds", [0.013, 0.5, 1.0, 10.0])
def test_any_duration_and_rate(sample_rate_hz: int, seconds: float):
    config = SceneConfig(seconds=seconds, sample_rate_hz=sample_rate_hz)
    for index in range(6):
        scene = generate_scene(3, index, config)
        assert scene.audio.shape == (round(seconds * sample_rate_hz),)
        assert np.isfinite(scene.stems).all()
        assert 0.1 < np.abs(scene.audio).max() <= 0.95


@pytest.mark.parametrize("name", CLASS_NAMES)
@pytest.mark.parametrize("num_samples", [1, 2, 37, 4001])
def test_every_class_survives_short_lengths(name: str, num_samples: int):
    for seed in range(5):
        event = synthesize_event(
            name, np.random.default_rng(seed), num_samples, 4000
        )
        assert event.shape == (num_samples,)
        assert np.isfinite(event).all()


@pytest.mark.parametrize("kind", BACKGROUND_SYNTHESIZERS)
@pytest.mark.parametrize("num_samples", [1, 2, 37])
def test_every_background_survives_short_lengths(kind: str, num_samples: int):
    """The last instance of a scene may be a single sample."""
    for seed in range(5):
        background = synthesize_background(
            kind, np.random.default_rng(seed), num_samples, 16000
        )
        assert background.shape == (num_samples,)
        assert np.isfinite(background).all()


def test_level_bounds_are_kept():
    """With equal bounds, events stand at that level where active."""
    config = SceneConfig(min_level_db=12.0, max_level_db=12.0)
    levels_db = []
    for index in range(20):
        stems = generate_scene(1, index, config).stems
        powers = [np.square(_envelope(stem, 0.05)) for stem in stems]
        active = [p[p >= 0.01 * p.max()].mean() for p in powers]
        levels_db.extend(10 * np.log10(np.array(active[:-1]) / active[-1]))
    assert np.mean(levels_db) == pytest.approx(12.0, abs=0.7)
    # Instances of event and background vary by 3 dB either way.
    np.testing.assert_allclose(levels_db, 12.0, atol=7.0)


def test_number_of_events_follows_the_config():
    config = dataclasses.replace(_SHORT, min_events=3, max_events=3)
    for index in range(20):
        assert len(generate_scene(0, index, config).labels) == 3


def test_every_class_occurs_and_co_occurrence_is_uneven():
    labels = [generate_scene(0, index, _SHORT).labels for index in range(1500)]
    # (scenes, classes)
    present = np.array(
        [[float(name in found) for name in CLASS_NAMES] for found in labels]
    )
    rates = present.mean(axis=0)
    # 2.5 events over 14 classes: 0.18 on average.
    assert rates.min() > 0.1 and rates.max() < 0.3
    # How much more often two classes meet than if they were independent.
    lift = present.T @ present / len(present) / np.outer(rates, rates)
    shared = np.array(
        [
            [
                any(a in own and b in own for own, _ in SCENE_TYPES.values())
                for b in CLASS_NAMES
            ]
            for a in CLASS_NAMES
        ]
    )
    np.fill_diagonal(shared, False)
    strangers = ~shared & ~np.eye(len(CLASS_NAMES), dtype=bool)
    assert lift[shared].mean() > 1.3
    assert lift[strangers].mean() < 0.6
    chirps, cricket, siren = (
        CLASS_NAMES.index(name) for name in ("bird_chirps", "cricket", "siren")
    )
    assert lift[chirps, cricket] > 4 * lift[chirps, siren]


@pytest.mark.parametrize("seed", range(5))
def test_siren_sweeps_slowly(seed: int, pure_tones: None):
    pitch_octaves = np.log2(_pitch_hz(_event("siren", seed)))[5:-5]
    assert 0.35 < _strongest_hz(pitch_octaves, 100.0, 0.1, 50.0) < 1.65
    assert 0.45 < np.ptp(pitch_octaves) < 1.3


@pytest.mark.parametrize("seed", range(5))
def test_telephone_alternates_between_two_pitches(seed: int, pure_tones: None):
    audio = _event("telephone_ring", seed)
    pitch_hz = _pitch_hz(audio)
    ringing = _envelope(audio, 0.01)[: pitch_hz.size] > 0.6
    pitch_hz[~ringing] = np.median(pitch_hz[ringing])
    assert 10.5 < _strongest_hz(pitch_hz, 100.0, 5.0, 50.0) < 17.5


@pytest.mark.parametrize("seed", range(5))
def test_alarm_is_keyed_at_a_few_hertz(seed: int):
    envelope = _envelope(_event("alarm_beeps", seed))
    assert 1.9 < _strongest_hz(envelope, 200.0, 0.5, 100.0) < 5.1


@pytest.mark.parametrize("seed", range(5))
def test_cricket_pulses_fast_inside_its_chirps(seed: int):
    envelope = _envelope(_event("cricket", seed))
    # The grouping into chirps lies below 8 Hz.
    assert 17.8 < _strongest_hz(envelope, 200.0, 8.0, 100.0) < 28.2


@pytest.mark.parametrize("seed", range(5))
def test_knocks_are_regular_within_groups(seed: int):
    intervals_s = np.diff(_onsets_s(_event("knocking", seed)))
    usual_s = np.median(intervals_s)
    assert 0.12 < usual_s < 0.205
    same = np.abs(intervals_s - usual_s) <= 0.011
    # A group of 3 to 6 knocks has 2 to 5 intervals, then one longer gap.
    assert 0.6 < same.mean() < 0.9
    assert intervals_s[~same].min() > usual_s + 0.2


@pytest.mark.parametrize("seed", range(5))
def test_footsteps_repeat_and_drips_do_not(seed: int):
    def repetition(audio: np.ndarray) -> float:
        envelope = _envelope(audio, 0.01)
        envelope = envelope - envelope.mean()
        lags = np.correlate(envelope, envelope, "full")[envelope.size - 1 :]
        return float(lags[34:66].max() / lags[0])  # 0.34 to 0.65 s

    steps = repetition(_event("footsteps", seed))
    assert steps > 0.4
    assert steps > 2 * repetition(_event("water_drips", seed))


@pytest.mark.parametrize("seed", range(5))
def test_bell_rises_at_once_and_whoosh_does_not(seed: int):
    def steepest_rise(audio: np.ndarray) -> float:
        envelope = _envelope(audio)
        return float(np.diff(envelope).max() / envelope.max())

    assert steepest_rise(_event("bell", seed)) > 0.2
    # A noise envelope jitters, so longer blocks stand for the swell.
    swell = _envelope(_event("whoosh", seed), 0.05)
    assert np.diff(swell).max() / swell.max() < 0.5


@pytest.mark.parametrize("seed", range(5))
def test_whoosh_is_brightest_where_it_is_loudest(seed: int):
    hz, _, power = signal.spectrogram(
        _event("whoosh", seed), _RATE_HZ, nperseg=1024
    )
    loudness = power.sum(axis=0)
    centroid_hz = hz @ power / loudness
    audible = loudness > 1e-3 * loudness.max()
    correlation = np.corrcoef(
        np.log(loudness[audible]), np.log(centroid_hz[audible])
    )[0, 1]
    assert correlation > 0.6


def test_crackle_is_sparser_than_engine():
    """The share of 5 ms blocks near silence tells clicks from a buzz."""
    for seed in range(5):
        quiet = {
            name: np.mean(
                _envelope(_event(name, seed))
                < 0.03 * _envelope(_event(name, seed)).max()
            )
            for name in ("crackle", "engine")
        }
        assert quiet["crackle"] > 0.4 > quiet["engine"]


@pytest.mark.parametrize("seed", range(5))
def test_speech_has_syllables(seed: int):
    envelope = _envelope(_event("speech", seed), 0.01)
    assert 2.0 < _strongest_hz(envelope, 100.0, 1.5, 20.0) < 8.0


def test_registry_is_consistent():
    assert CLASS_NAMES == tuple(sorted(EVENT_SYNTHESIZERS))
    assert len(CLASS_NAMES) >= 12
    placed = {name for own, _ in SCENE_TYPES.values() for name in own}
    assert placed == set(CLASS_NAMES)
    kinds = {kind for _, own in SCENE_TYPES.values() for kind in own}
    assert kinds == set(BACKGROUND_SYNTHESIZERS)
    for name, synthesizer in EVENT_SYNTHESIZERS.items():
        assert synthesizer.__module__ in (
            noisy_events.__name__,
            pitched_events.__name__,
        ), name


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"seconds": 0.0}, "seconds must be positive, got 0.0"),
        ({"sample_rate_hz": 100}, "at least 4000 .* got 100"),
        ({"min_events": 0}, "got min_events=0"),
        ({"max_events": 99}, "max_events=99"),
        ({"min_level_db": 30.0}, "30.0 is above max_level_db 20.0"),
    ],
)
def test_bad_configs_are_refused(arguments: dict, message: str):
    with pytest.raises(ValueError, match=message):
        SceneConfig(**arguments)
