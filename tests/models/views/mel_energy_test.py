import numpy as np
import pytest

from models.frontend.log_mel import LogMel
from models.frontend.panns_log_mel import PANNsLogMel
from models.views.mel_energy import to_energy, to_log_mel


@pytest.mark.parametrize(
    "frontend,silence",
    [(LogMel(), np.log(0.001)), (PANNsLogMel(), -100.0)],
    ids=["google", "panns"],
)
def test_twice_the_amplitude_is_four_times_the_energy(frontend, silence):
    wave = np.random.default_rng(1).normal(0, 0.1, (2, 4000)).astype("f4")
    log_mel, louder = frontend(wave), frontend(2 * wave)
    energy = to_energy(log_mel, frontend)
    np.testing.assert_allclose(
        to_energy(louder, frontend), 4 * energy, rtol=1e-4
    )
    np.testing.assert_allclose(
        to_log_mel(energy, frontend), log_mel, rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(
        to_log_mel(4 * energy, frontend), louder, rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(
        to_log_mel(np.zeros(1, "f4"), frontend), silence, rtol=1e-6
    )
    assert np.all(to_energy(frontend(0 * wave), frontend) < 1e-9)
