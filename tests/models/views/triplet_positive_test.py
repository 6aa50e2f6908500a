import numpy as np
import pytest

from models.frontend.log_mel import LogMel
from models.views import triplet_positive
from models.views.triplet_positive import NUM_DRAWS, TripletPositive

FRONTEND = LogMel()
NOISE, MIXING, SHIFT, PROXIMITY = range(4)


def _patches(clips, frames=9, bands=7, seed=1):
    energy = np.random.default_rng(seed).random((clips, frames, bands), "f4")
    return np.asarray(FRONTEND.of_energy(energy)), energy


def _uniform(way, clips, seed=2):
    uniform = np.random.default_rng(seed).random((clips, NUM_DRAWS), "f4")
    uniform[:, 0] = (way + uniform[:, 0]) / 4
    return uniform


def _positives(way, log_mel, second=None):
    clips = len(log_mel)
    normal = np.random.default_rng(3).normal(size=log_mel.shape).astype("f4")
    second = log_mel if second is None else second
    positives = TripletPositive(FRONTEND)(
        log_mel, second, _uniform(way, clips), normal
    )
    return np.asarray(positives), normal


def test_noise_multiplies_each_energy():
    log_mel, energy = _patches(5)
    positives, normal = _positives(NOISE, log_mel)
    np.testing.assert_allclose(
        FRONTEND.energy(positives),
        energy * (1 + np.abs(0.5 * normal)),
        rtol=1e-4,
        atol=1e-6,
    )


def test_mixing_adds_another_clip_at_the_ratio():
    log_mel, energy = _patches(4)
    energy[2:] *= 100
    log_mel = np.array(FRONTEND.of_energy(energy))
    positives, _ = _positives(MIXING, log_mel)
    added = np.asarray(FRONTEND.energy(positives)) - energy
    partners = []
    for own, extra in zip(energy, added, strict=True):
        assert extra.sum() == pytest.approx(0.25 * own.sum(), rel=1e-3)
        shape = [
            np.corrcoef(other.ravel(), extra.ravel())[0, 1] for other in energy
        ]
        partners.append(int(np.argmax(shape)))
        assert shape[partners[-1]] > 0.999
    assert all(k != partner for k, partner in enumerate(partners))


def test_every_other_clip_is_a_partner_as_often():
    """Clips that each sound in one band tell who was mixed in."""
    log_mel = FRONTEND.of_energy(np.eye(12, dtype="f4")[:, None])
    make = TripletPositive(FRONTEND)
    counts = np.zeros((12, 12))
    for k in range(22):
        uniform = np.full((12, NUM_DRAWS), 0.3, "f4")
        uniform[:, 1] = (k + 0.5) / 22
        positive = make(log_mel, log_mel, uniform, np.zeros_like(log_mel))
        counts += np.asarray(FRONTEND.energy(positive))[:, 0] > 0.1
    np.testing.assert_array_equal(counts, 2 + 20 * np.eye(12))


def test_silent_clips_neither_add_nor_receive():
    log_mel, energy = _patches(2)
    energy[0] = 0
    log_mel = np.array(FRONTEND.of_energy(energy))
    positives, _ = _positives(MIXING, log_mel)
    np.testing.assert_allclose(positives, log_mel, atol=1e-5)


def test_shift_is_circular_in_time_and_truncated_in_frequency(monkeypatch):
    monkeypatch.setattr(triplet_positive, "_SHIFT_BANDS", 3)
    clips, frames, bands = 2000, 9, 7
    index = np.arange(frames * bands, dtype="f4").reshape(frames, bands)
    log_mel = np.broadcast_to(index, (clips, frames, bands))
    positives, _ = _positives(SHIFT, log_mel)
    silence = np.log(0.001)
    seen = np.zeros((frames, 7))
    for positive in positives:
        # The middle band stays inside under any shift.
        frame, band = divmod(positive[0, 3], bands)
        steps = int(-frame % frames), int(3 - band)
        seen[steps[0], steps[1] + 3] += 1
        expected = np.full((frames, bands), silence, "f4")
        for target in range(bands):
            if 0 <= target - steps[1] < bands:
                moved = np.roll(index[:, target - steps[1]], steps[0])
                expected[:, target] = moved
        np.testing.assert_allclose(positive, expected, rtol=1e-6)
    # Every pair of shifts, each as often.
    np.testing.assert_allclose(seen / clips, 1 / seen.size, atol=0.012)


def test_temporal_proximity_is_the_second_view():
    log_mel, _ = _patches(5)
    second = log_mel + 1
    positives, _ = _positives(PROXIMITY, log_mel, second)
    np.testing.assert_array_equal(positives, second)


def test_each_way_is_as_likely_and_is_that_of_the_example():
    log_mel, _ = _patches(2000, 2, 3)
    second = log_mel + 1
    uniform = np.random.default_rng(5).random((2000, NUM_DRAWS), "f4")
    normal = np.random.default_rng(6).normal(size=log_mel.shape).astype("f4")
    make = TripletPositive(FRONTEND)
    mixed = np.asarray(make(log_mel, second, uniform, normal))
    shares = []
    for way in range(4):
        forced = uniform.copy()
        forced[:, 0] = (way + 0.5) / 4
        alone = np.asarray(make(log_mel, second, forced, normal))
        same = np.all(alone == mixed, axis=(1, 2))
        drawn = np.floor(4 * uniform[:, 0]) == way
        assert np.all(same[drawn])
        shares.append(np.mean(drawn))
    np.testing.assert_allclose(shares, 0.25, atol=0.03)


@pytest.mark.parametrize("offset, size", [(0, 3), (5, 4)])
def test_rows_of_a_replica_are_those_of_the_global_batch(offset, size):
    """Whichever way; the partner may be on any replica."""
    log_mel, _ = _patches(9)
    rng = np.random.default_rng(4)
    uniform = rng.random((9, NUM_DRAWS), "f4")
    normal = rng.normal(size=log_mel.shape).astype("f4")
    make = TripletPositive(FRONTEND)
    own = slice(offset, offset + size)
    for way in range(4):
        uniform[:, 0] = (way + 0.5) / 4
        whole = make(log_mel, log_mel + 1, uniform, normal)
        local = make(
            log_mel[own],
            log_mel[own] + 1,
            uniform[own],
            normal[own],
            log_mel,
            offset,
        )
        np.testing.assert_allclose(local, whole[own], rtol=1e-6, atol=1e-6)
