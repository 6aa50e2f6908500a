import io

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from data.audio import codec, encoding

FORMATS = pytest.mark.parametrize("audio_format", encoding.AUDIO_FORMATS)
AUDIO = np.random.default_rng(0).uniform(-0.9, 0.9, 4001).astype(np.float32)
FLAC = encoding.encode(AUDIO, "flac", 16000)


def flac(audio, subtype="PCM_16"):
    buffer = io.BytesIO()
    soundfile.write(buffer, audio, 16000, format="FLAC", subtype=subtype)
    return buffer.getvalue()


def test_rounding_and_full_scale():
    samples = encoding.to_int16(np.float32([0, 0.5, 1.0, -1.0, 1.5, -1.5]))
    assert samples.tolist() == [0, 16384, 32767, -32768, 32767, -32768]
    # Half a step rounds to even, less to the nearest.
    steps = np.float64([0.4, 0.6, -0.6, 2.5]) / 32768
    assert encoding.to_int16(steps).tolist() == [0, 1, -1, 2]


@FORMATS
def test_round_trips_are_within_half_a_step(audio_format):
    encoded = encoding.encode(AUDIO, audio_format, 16000)
    decoded = codec.decode(tf.constant(encoded), audio_format)
    assert decoded.dtype == tf.float32 and decoded.shape == AUDIO.shape
    np.testing.assert_allclose(decoded, AUDIO, atol=0.5001 / 32768)
    # A second one changes nothing, nor does decoding outside of the graph.
    assert encoding.encode(decoded.numpy(), audio_format, 16000) == encoded
    samples = codec.decode_bytes(encoded, audio_format)
    np.testing.assert_array_equal(samples, encoding.to_int16(AUDIO))


@FORMATS
@pytest.mark.parametrize("start", [0, 1234, 3500, 5000])
def test_a_crop_is_the_slice_with_zeros_past_the_end(audio_format, start):
    encoded = encoding.encode(AUDIO, audio_format, 16000)
    whole = codec.decode(tf.constant(encoded), audio_format).numpy()
    expected = np.pad(whole, (0, 5700 - whole.size))[start : start + 700]
    crops = tf.data.Dataset.from_tensors(start).map(
        lambda start: codec.decode_crop(encoded, start, 700, audio_format)
    )
    assert crops.element_spec.shape == (700,)
    [crop] = crops
    np.testing.assert_array_equal(crop, expected)


def test_headers_of_flac_tell_lengths_of_any_shape():
    def has_length(encoded, num_samples):
        return codec.has_length(tf.constant(encoded), num_samples, "flac")

    short = flac(AUDIO[:299])
    assert has_length(short, 299) and has_length([[short], [short]], 299)
    for other in (FLAC, b"fLaC", b"", flac(AUDIO[:299], "PCM_24")):
        assert not has_length([short, other], 299)
    in_36_bits = FLAC[:21] + b"\xff\x01\x02\x03\x04" + FLAC[26:]
    assert has_length(in_36_bits, 0xF01020304)


@pytest.mark.parametrize(
    "other",
    [
        flac(np.stack([AUDIO, AUDIO], axis=1)),
        flac(AUDIO, "PCM_24"),
        b"RIFF" + FLAC[4:],
        FLAC[:-3000],
        b"",
    ],
)
def test_anything_but_mono_flac_of_16_bits_is_refused(other):
    with pytest.raises(ValueError, match="FLAC"):
        codec.decode_bytes(other, "flac")
    decoded = tf.data.Dataset.from_tensors(other).map(
        lambda encoded: codec.decode(encoded, "flac")
    )
    with pytest.raises(tf.errors.OpError):
        next(iter(decoded))


def test_damaged_flac_ends_in_samples_or_an_error():
    """tensorflow-io's decoder hung at such bytes; this one must not."""
    rng = np.random.default_rng(1)
    refused = 0
    for number in range(500):
        damaged = bytearray(FLAC)
        # Half of the damage is in the headers.
        within = 64 if number % 2 else len(FLAC)
        for place in rng.integers(within, size=rng.integers(1, 9)):
            damaged[place] = rng.integers(256)
        try:
            samples = codec.decode_bytes(bytes(damaged), "flac")
            assert samples.ndim == 1 and samples.dtype == np.int16
        except ValueError:
            refused += 1
    assert refused > 300
