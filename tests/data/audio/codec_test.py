import numpy as np
import pytest
import tensorflow as tf

from data.audio import codec, encoding

FORMATS = pytest.mark.parametrize("audio_format", encoding.AUDIO_FORMATS)
AUDIO = np.random.default_rng(0).uniform(-0.9, 0.9, 4001).astype(np.float32)


def test_rounding_and_full_scale():
    samples = encoding.to_int16(np.float32([0, 0.5, 1.0, -1.0, 1.5, -1.5]))
    assert samples.tolist() == [0, 16384, 32767, -32768, 32767, -32768]
    # Half a step rounds to even, less to the nearest.
    steps = np.float64([0.4, 0.6, -0.6, 2.5]) / 32768
    assert encoding.to_int16(steps).tolist() == [0, 1, -1, 2]


@FORMATS
def test_round_trip_is_within_half_a_step(audio_format):
    encoded = encoding.encode(AUDIO, audio_format, 16000)
    decoded = codec.decode(tf.constant(encoded), audio_format)
    assert decoded.dtype == tf.float32 and decoded.shape == AUDIO.shape
    np.testing.assert_allclose(decoded, AUDIO, atol=0.5001 / 32768)


@FORMATS
def test_a_second_round_trip_changes_nothing(audio_format):
    encoded = encoding.encode(AUDIO, audio_format, 16000)
    decoded = codec.decode(tf.constant(encoded), audio_format)
    assert encoding.encode(decoded.numpy(), audio_format, 16000) == encoded


@FORMATS
@pytest.mark.parametrize("start", [0, 1, 1234, 3500, 4001, 5000])
def test_a_crop_is_the_slice_with_zeros_past_the_end(audio_format, start):
    encoded = tf.constant(encoding.encode(AUDIO, audio_format, 16000))
    whole = codec.decode(encoded, audio_format).numpy()
    expected = np.zeros(700, np.float32)
    piece = whole[start : start + 700]
    expected[: piece.size] = piece
    crop = codec.decode_crop(encoded, tf.constant(start), 700, audio_format)
    np.testing.assert_array_equal(crop, expected)


@FORMATS
def test_crops_in_a_dataset_have_a_static_length(audio_format):
    encoded = encoding.encode(AUDIO, audio_format, 16000)

    def crop(start):
        return codec.decode_crop(encoded, start, 16, audio_format)

    crops = tf.data.Dataset.range(10, 12).map(crop)
    assert crops.element_spec.shape == (16,)
    first, second = crops
    np.testing.assert_array_equal(first[1:], second[:-1])
