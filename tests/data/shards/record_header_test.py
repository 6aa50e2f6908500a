import numpy as np
import pytest
import tensorflow as tf

from data.shards import record_header


def test_checksum_of_the_standard_example():
    # CRC-32C of "123456789" is 0xE3069283, as RFC 3720 and others print it.
    crc = 0xE3069283
    masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    assert record_header._masked_crc32c(b"123456789") == masked


@pytest.mark.parametrize("length", [0, 1, 255, 70001])
def test_reads_what_tensorflow_writes(tmp_path, length):
    path = tmp_path / "a.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"x" * length)
    content = path.read_bytes()
    assert len(content) == length + record_header.FRAME_BYTES
    header = content[: record_header.HEADER_BYTES]
    assert record_header.read_length(header) == length
    assert record_header.read_length(header[:-1]) is None
    for byte in range(len(header)):
        for bit in range(8):
            damaged = bytearray(header)
            damaged[byte] ^= 1 << bit
            assert record_header.read_length(bytes(damaged)) is None


def test_noise_is_no_header():
    rng = np.random.default_rng(0)
    assert all(
        record_header.read_length(rng.bytes(12)) is None for _ in range(999)
    )
