import io

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from data.audio import flac_decoding

SAMPLES = np.random.default_rng(0).integers(-9000, 9000, 5001, np.int16)


def flac(samples=SAMPLES, subtype="PCM_16"):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, 16000, format="FLAC", subtype=subtype)
    return buffer.getvalue()


def test_decodes_what_was_encoded_in_and_outside_of_the_graph():
    encoded = flac()
    np.testing.assert_array_equal(flac_decoding.decode_bytes(encoded), SAMPLES)
    np.testing.assert_array_equal(
        flac_decoding.decode(tf.constant(encoded)), SAMPLES
    )
    dataset = tf.data.Dataset.from_tensors(encoded).map(flac_decoding.decode)
    assert dataset.element_spec == tf.TensorSpec([None], tf.int16)
    np.testing.assert_array_equal(next(iter(dataset)), SAMPLES)


def test_headers_tell_lengths_of_any_shape():
    encoded = [[flac(SAMPLES[:n]) for n in (1, 299)], [flac(), b"fLaC"]]
    np.testing.assert_array_equal(
        flac_decoding.num_samples(tf.constant(encoded)), [[1, 299], [5001, -1]]
    )
    assert flac_decoding.num_samples(tf.constant(encoded[0][1])) == 299


def test_a_length_of_36_bits_is_read():
    encoded = bytearray(flac())
    encoded[21] |= 0x0F
    encoded[22:26] = b"\x01\x02\x03\x04"
    length = flac_decoding.num_samples(tf.constant(bytes(encoded)))
    assert length == 0xF01020304


@pytest.mark.parametrize(
    "other",
    [
        flac(np.stack([SAMPLES, SAMPLES], axis=1)),
        flac(SAMPLES.astype(np.int32) << 16, "PCM_24"),
        b"RIFF" + flac()[4:],
        flac()[:-3000],
        b"",
    ],
)
def test_anything_else_is_refused(other):
    with pytest.raises(ValueError, match="FLAC"):
        flac_decoding.decode_bytes(other)
    dataset = tf.data.Dataset.from_tensors(other).map(flac_decoding.decode)
    with pytest.raises(tf.errors.OpError):
        next(iter(dataset))


def test_damaged_bytes_end_in_samples_or_an_error():
    """tensorflow-io's decoder hung at such bytes; this one must not."""
    rng = np.random.default_rng(1)
    encoded, refused = flac(), 0
    for number in range(500):
        damaged = bytearray(encoded)
        # Half of the damage is in the headers.
        within = 64 if number % 2 else len(encoded)
        for place in rng.integers(within, size=rng.integers(1, 9)):
            damaged[place] = rng.integers(256)
        try:
            samples = flac_decoding.decode_bytes(bytes(damaged))
            assert samples.ndim == 1 and samples.dtype == np.int16
        except ValueError:
            refused += 1
    assert refused > 300
