import numpy as np
import pytest
from scipy import signal

from data.synthetic import events, scenes
from data.synthetic.backgrounds import (
    BACKGROUND_SYNTHESIZERS,
    synthesize_background,
)
from data.synthetic.events import EVENT_SYNTHESIZERS, synthesize_event
from data.synthetic.scenes import CLASS_NAMES, SCENE_TYPES, generate_scene

RATE_HZ = 16000
SEEDS = pytest.mark.parametrize("seed", range(5))


def event(name, seed):
    """8 s of an event as its function makes it, uncolored."""
    rng = np.random.default_rng(seed)
    return EVENT_SYNTHESIZERS[name](rng, 8 * RATE_HZ, RATE_HZ)


def envelope_of(audio, block_s=0.005):
    """RMS in consecutive blocks, (blocks,)."""
    block = round(block_s * RATE_HZ)
    blocks = audio[: audio.size // block * block].reshape(-1, block)
    return np.sqrt(np.mean(blocks**2, axis=1))


def strongest_hz(series, rate_hz, low_hz, high_hz):
    """Frequency of the strongest component between two bounds."""
    power = np.abs(np.fft.rfft((series - series.mean()), 8 * series.size))
    hz = np.fft.rfftfreq(8 * series.size, 1.0 / rate_hz)
    inside = (hz >= low_hz) & (hz <= high_hz)
    return float(hz[inside][np.argmax(power[inside])])


def pitch_hz_of(audio):
    """Instantaneous frequency of a pure tone, median of 10 ms blocks."""
    phase = np.unwrap(np.angle(signal.hilbert(audio)))
    hz = np.diff(phase) * RATE_HZ / (2 * np.pi)
    block = round(0.01 * RATE_HZ)
    return np.median(hz[: hz.size // block * block].reshape(-1, block), 1)


@pytest.fixture
def pure_tones(monkeypatch):
    """Strips pitched events of their overtones, so that pitch is plain."""
    monkeypatch.setattr(events, "random_rolloff", lambda rng, n: np.ones(1))


def test_scene_depends_on_its_arguments_only():
    in_order = [generate_scene(7, index).audio for index in range(3)]
    backwards = [generate_scene(7, index).audio for index in (2, 1, 0)][::-1]
    np.testing.assert_array_equal(in_order, backwards)
    assert not np.array_equal(in_order[0], in_order[1])
    assert not np.array_equal(in_order[0], generate_scene(8, 0).audio)


@pytest.mark.parametrize("index", range(12))
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
    assert prefix == "background" and kind in BACKGROUND_SYNTHESIZERS
    assert np.abs(scene.stems).max(axis=1).min() > 0


@pytest.mark.parametrize("rate_hz", [4000, 16000, 22050])
@pytest.mark.parametrize("seconds", [0.013, 1.0, 10.0])
def test_any_duration_and_rate(rate_hz, seconds):
    for index in range(6):
        scene = generate_scene(3, index, seconds, rate_hz)
        assert scene.audio.shape == (round(seconds * rate_hz),)
        assert np.isfinite(scene.stems).all()
        assert 0.1 < np.abs(scene.audio).max() <= 0.95


@pytest.mark.parametrize("name", [*CLASS_NAMES, *BACKGROUND_SYNTHESIZERS])
def test_every_sound_survives_short_lengths(name):
    """The last instance of a scene may be a single sample."""
    is_event = name in CLASS_NAMES
    synthesize = synthesize_event if is_event else synthesize_background
    for num_samples in (1, 2, 37, 4001):
        for seed in range(5):
            rng = np.random.default_rng(seed)
            audio = synthesize(name, rng, num_samples, 4000)
            assert audio.shape == (num_samples,)
            assert np.isfinite(audio).all()


def test_level_bounds_are_kept(monkeypatch):
    """With equal bounds, events stand at that level where active."""
    monkeypatch.setattr(scenes, "MIN_LEVEL_DB", 12.0)
    monkeypatch.setattr(scenes, "MAX_LEVEL_DB", 12.0)
    levels_db = []
    for index in range(20):
        stems = generate_scene(1, index).stems
        powers = [np.square(envelope_of(stem, 0.05)) for stem in stems]
        active = [p[p >= 0.01 * p.max()].mean() for p in powers]
        levels_db.extend(10 * np.log10(np.array(active[:-1]) / active[-1]))
    assert np.mean(levels_db) == pytest.approx(12.0, abs=0.7)
    # Instances of event and background vary by 3 dB either way.
    np.testing.assert_allclose(levels_db, 12.0, atol=7.0)


def test_every_class_occurs_and_co_occurrence_is_uneven():
    # Labels do not need long audio.
    labels = [generate_scene(0, k, 0.05, 4000).labels for k in range(1500)]
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
    chirps, cricket, siren = (
        CLASS_NAMES.index(name) for name in ("bird_chirps", "cricket", "siren")
    )
    assert lift[chirps, cricket] > 4 * lift[chirps, siren]


def test_scene_types_have_every_class_and_background():
    own_classes, own_kinds = zip(*SCENE_TYPES.values(), strict=True)
    assert set().union(*own_classes) == set(CLASS_NAMES)
    assert set().union(*own_kinds) == set(BACKGROUND_SYNTHESIZERS)


@SEEDS
def test_siren_sweeps_slowly(seed, pure_tones):
    pitch_octaves = np.log2(pitch_hz_of(event("siren", seed)))[5:-5]
    assert 0.35 < strongest_hz(pitch_octaves, 100.0, 0.1, 50.0) < 1.65
    assert 0.45 < np.ptp(pitch_octaves) < 1.3


@SEEDS
def test_telephone_alternates_between_two_pitches(seed, pure_tones):
    audio = event("telephone_ring", seed)
    pitch_hz = pitch_hz_of(audio)
    ringing = envelope_of(audio, 0.01)[: pitch_hz.size] > 0.6
    pitch_hz[~ringing] = np.median(pitch_hz[ringing])
    assert 10.5 < strongest_hz(pitch_hz, 100.0, 5.0, 50.0) < 17.5


@SEEDS
@pytest.mark.parametrize(
    "name, searched_hz, found_hz",
    [
        ("alarm_beeps", (0.5, 100.0), (1.9, 5.1)),
        # The grouping into chirps lies below 8 Hz.
        ("cricket", (8.0, 100.0), (17.8, 28.2)),
        ("speech", (1.5, 20.0), (2.0, 8.0)),  # Its syllables.
    ],
)
def test_loudness_pulses_at_the_rate_of_the_class(
    name, searched_hz, found_hz, seed
):
    pulse_hz = strongest_hz(envelope_of(event(name, seed)), 200.0, *searched_hz)
    assert found_hz[0] < pulse_hz < found_hz[1]


@SEEDS
def test_knocks_are_regular_within_groups(seed):
    envelope = envelope_of(event("knocking", seed))
    loud = envelope > 0.25 * envelope.max()
    onsets = np.flatnonzero(np.diff(loud.astype(int), prepend=0) == 1)
    intervals_s = np.diff(onsets) * 0.005
    usual_s = np.median(intervals_s)
    assert 0.12 < usual_s < 0.205
    same = np.abs(intervals_s - usual_s) <= 0.011
    # A group of 3 to 6 knocks has 2 to 5 intervals, then one longer gap.
    assert 0.6 < same.mean() < 0.9
    assert intervals_s[~same].min() > usual_s + 0.2


@SEEDS
def test_footsteps_repeat_and_drips_do_not(seed):
    def repetition(name):
        envelope = envelope_of(event(name, seed), 0.01)
        envelope = envelope - envelope.mean()
        lags = np.correlate(envelope, envelope, "full")[envelope.size - 1 :]
        return lags[34:66].max() / lags[0]  # 0.34 to 0.65 s

    steps = repetition("footsteps")
    assert steps > 0.4
    assert steps > 2 * repetition("water_drips")


@SEEDS
def test_bell_rises_at_once_and_whoosh_does_not(seed):
    strike = envelope_of(event("bell", seed))
    assert np.diff(strike).max() / strike.max() > 0.2
    # A noise envelope jitters, so longer blocks stand for the swell.
    swell = envelope_of(event("whoosh", seed), 0.05)
    assert np.diff(swell).max() / swell.max() < 0.5


@SEEDS
def test_whoosh_is_brightest_where_it_is_loudest(seed):
    audio = event("whoosh", seed)
    hz, _, power = signal.spectrogram(audio, RATE_HZ, nperseg=1024)
    loudness = power.sum(axis=0)
    audible = loudness > 1e-3 * loudness.max()
    loudness, centroid_hz = loudness[audible], (hz @ power / loudness)[audible]
    assert np.corrcoef(np.log(loudness), np.log(centroid_hz))[0, 1] > 0.6


@SEEDS
def test_crackle_is_sparser_than_engine(seed):
    """The share of 5 ms blocks near silence tells clicks from a buzz."""
    quiet = {}
    for name in ("crackle", "engine"):
        envelope = envelope_of(event(name, seed))
        quiet[name] = np.mean(envelope < 0.03 * envelope.max())
    assert quiet["crackle"] > 0.4 > quiet["engine"]
