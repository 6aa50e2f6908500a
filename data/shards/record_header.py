"""The twelve bytes before a TFRecord: a length and its checksum."""

HEADER_BYTES = 12
# Length and its checksum before a record, its own checksum after it.
FRAME_BYTES = HEADER_BYTES + 4


def read_length(header: bytes) -> int | None:
    """Bytes of the record that follows; None where the checksum is wrong.

    Args:
      header: `HEADER_BYTES` bytes; fewer give None.
    """
    length, checksum = header[:8], header[8:HEADER_BYTES]
    if int.from_bytes(checksum, "little") != _masked_crc32c(length):
        return None
    return int.from_bytes(length, "little")


def _masked_crc32c(value: bytes) -> int:
    """CRC-32C, rotated and shifted as TFRecord files keep it."""
    crc = 0xFFFFFFFF
    for byte in value:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _of_byte(crc: int) -> int:
    for _ in range(8):
        # The polynomial of CRC-32C (Castagnoli), lowest bit first.
        crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc


_TABLE = tuple(map(_of_byte, range(256)))
