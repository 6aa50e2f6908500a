import numpy as np
import pytest

from models.frontend.panns_log_mel import PANNsLogMel, slaney_mel_matrix
from tests.agreement import largest_difference
from tests.golden.loading import load

SOURCE = "torchlibrosa"


def _sweep(rate_hz: int) -> np.ndarray:
    """What the stored values of 32 and 8 kHz were made of: (1, T)."""
    time = np.arange(round(0.2 * rate_hz) + 37) / rate_hz
    sweep = 0.3 * np.sin(2 * np.pi * (200 * time + rate_hz / 3 * time**2))
    noise = np.random.RandomState(rate_hz).normal(size=time.size)
    return (sweep + 0.01 * noise).astype("f4")[None]


def _check(agrees, rate_hz, waveform, expected):
    ours = np.asarray(PANNsLogMel(rate_hz)(waveform))
    part = f"PANNs log-mel, {rate_hz} Hz"
    worst = largest_difference(ours, expected)
    agrees(f"{part}, anywhere", SOURCE, worst, 0.1, "dB")
    loud = expected > -60
    worst = largest_difference(ours[loud], expected[loud])
    agrees(f"{part}, above -60 dB", SOURCE, worst, 0.005, "dB")


def test_values_are_those_of_the_reference(agrees):
    golden = load("log_mel")
    _check(agrees, 16000, golden["waveform"], golden["panns_log_mel"])


@pytest.mark.parametrize("rate_hz", [32000, 8000])
def test_the_other_rates_are_those_of_the_reference(rate_hz, agrees):
    expected = load("panns_log_mel")[f"log_mel_{rate_hz}"][None]
    _check(agrees, rate_hz, _sweep(rate_hz), expected)


@pytest.mark.parametrize(
    "rate_hz, window, hop, bins",
    [(32000, 1024, 320, 513), (16000, 512, 160, 257), (8000, 256, 80, 129)],
)
def test_published_variants_follow_from_the_rate(rate_hz, window, hop, bins):
    layer = PANNsLogMel(rate_hz)
    assert (layer.window_samples, layer.hop_samples) == (window, hop)
    stored = load("panns_log_mel") | load("log_mel")
    name = "panns_mel_matrix" if rate_hz == 16000 else f"mel_matrix_{rate_hz}"
    expected = stored[name]
    assert expected.shape == (bins, 64)
    # librosa rounds twice to float32: the last bit differs here and there.
    np.testing.assert_allclose(
        layer.mel_matrix, expected, rtol=1.2e-7, atol=1e-12
    )


def test_windows_are_even_at_any_rate():
    layer = PANNsLogMel(44100)
    assert (layer.window_samples, layer.hop_samples) == (1412, 441)
    assert layer(np.zeros((2, 882), "float32")).shape == (2, 3, 64)


def test_bands_have_area_one():
    matrix = slaney_mel_matrix(2**15 + 1, 16000, 20, 100.0, 7000.0)
    np.testing.assert_allclose(matrix.sum(axis=0) * 8000 / 2**15, 1, rtol=1e-3)


def test_waveforms_within_half_a_window_are_refused():
    with pytest.raises(ValueError, match="256 samples are too few.* 257"):
        PANNsLogMel()(np.zeros((2, 256), "float32"))
