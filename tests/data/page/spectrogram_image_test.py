import base64
import io

import numpy as np
import pytest
from PIL import Image

from data.page import spectrogram_image
from models.frontend.log_mel import LogMel


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
def test_picture_is_near_the_log_mel_of_the_encoder(rate_hz):
    time = np.arange(2 * rate_hz) / rate_hz
    audio = 0.1 * np.sin(2 * np.pi * (300 + 400 * time) * time)
    audio += np.random.default_rng(0).normal(0, 0.01, time.shape)
    picture = spectrogram_image.log_mel(audio, rate_hz, 10**6)
    layer = LogMel(rate_hz, high_hz=spectrogram_image.high_hz(rate_hz))
    wanted = np.asarray(layer(audio[None].astype("f4")))[0]
    assert picture.shape == wanted.shape
    # Nepers, of some 7 between silence and loud; here 0.10 to 0.14.
    assert np.abs(picture - wanted).mean() < 0.2
    # Where it is loudest, up to a neighboring band.
    apart = np.abs(picture.argmax(axis=1) - wanted.argmax(axis=1))
    assert apart.max() <= 1


def test_frames_are_at_most_about_those_asked_for():
    audio = np.zeros(160_000)
    picture = spectrogram_image.log_mel(audio, 16000, 180)
    assert 175 <= len(picture) <= 181
    np.testing.assert_allclose(picture, spectrogram_image.SILENCE)
    assert len(spectrogram_image.log_mel(audio[:7], 16000, 180)) == 1


def test_image_has_time_to_the_right_and_low_bands_below():
    values = np.full((3, 64), spectrogram_image.SILENCE)
    values[2, 0] = 1.0
    uri = spectrogram_image.png_uri(values)
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
    assert pixels.shape == (64, 3)
    assert np.unravel_index(pixels.argmax(), pixels.shape) == (63, 2)


def test_colors_span_from_the_darkest_to_the_lightest():
    values = np.array([[-80.0, -20.0], [0.0, 5.0], [-5.0, -40.0]])
    picture = spectrogram_image.rgb(values, low=-40.0, high=0.0)
    dark, light = [0, 0, 3], [251, 252, 191]  # Ends of the color map.
    np.testing.assert_array_equal(picture[1, [0, 1]], [dark, light])
    np.testing.assert_array_equal(picture[0, [1, 2]], [light, dark])
    # Half way up, and nearer to the top.
    assert 60 < picture[0, 0].mean() < picture[1, 2].mean() < 230


def test_the_darkest_color_is_60_db_down_or_silence():
    assert spectrogram_image.darkest(3.0) == pytest.approx(3 - np.log(1000))
    assert spectrogram_image.darkest(-4.0) == spectrogram_image.SILENCE
