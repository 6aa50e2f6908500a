"""Files in the formats of `torch.save`, written by hand, without torch."""

import pathlib
import struct
import zipfile

import numpy as np

MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
PROTOCOL = b"\x80\x02M\xe9\x03."
SYSTEM = b"\x80\x02}."

_STORAGES = {"f4": "FloatStorage", "f8": "DoubleStorage", "i8": "LongStorage"}


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    return b"\x8a\x08" + struct.pack("<q", value)


def numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def storage(kind: str, key: str, count: int, legacy: bool = False) -> bytes:
    described = text("storage") + name("torch", kind) + text(key) + text("cpu")
    return b"(" + described + number(count) + (b"N" if legacy else b"") + b"tQ"


def tensor(
    of: bytes, offset: int, sizes: tuple[int, ...], strides: tuple[int, ...]
) -> bytes:
    view = number(offset) + numbers(sizes) + numbers(strides)
    hooks = name("collections", "OrderedDict") + b")R"
    rebuild = name("torch._utils", "_rebuild_tensor_v2")
    return rebuild + b"(" + of + view + b"\x89" + hooks + b"tR"


def write_zip(
    path: pathlib.Path,
    pickled: bytes,
    data: dict[str, bytes],
    byte_order: str = "little",
) -> pathlib.Path:
    """`pickled` without protocol and stop; `data` by storage key."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + pickled + b".")
        archive.writestr("archive/byteorder", byte_order)
        for key, content in data.items():
            archive.writestr(f"archive/data/{key}", content)
        archive.writestr("archive/version", "3\n")
    return path


def write_legacy(
    path: pathlib.Path, pickled: bytes, data: dict[str, bytes], itemsize=4
) -> pathlib.Path:
    keys = b"]" + b"".join(text(key) + b"a" for key in data)
    with path.open("wb") as file:
        file.write(MAGIC + PROTOCOL + SYSTEM)
        file.write(b"\x80\x02" + pickled + b"." + b"\x80\x02" + keys + b".")
        for content in data.values():
            file.write(struct.pack("<q", len(content) // itemsize) + content)
    return path


def save(path: pathlib.Path, value: object) -> pathlib.Path:
    """Dicts, texts, whole numbers and arrays, in the zip format."""
    data = {}

    def pickled(part):
        if isinstance(part, dict):
            items = (pickled(k) + pickled(v) for k, v in part.items())
            return b"}(" + b"".join(items) + b"u"
        if isinstance(part, str):
            return text(part)
        if isinstance(part, int):
            return number(part)
        key = str(len(data))
        data[key] = part.tobytes()
        strides = tuple(step // part.itemsize for step in part.strides)
        kind = _STORAGES[part.dtype.str[1:]]
        return tensor(storage(kind, key, part.size), 0, part.shape, strides)

    return write_zip(path, pickled(value), data)


def front_end_arrays(mel_matrix: np.ndarray) -> dict[str, np.ndarray]:
    """What a PANNs state dict holds of its extractors: (bins, mel_bands)."""
    bins = len(mel_matrix)
    kernels = np.zeros((bins, 1, 2 * (bins - 1)), "f4")
    return {
        "spectrogram_extractor.stft.conv_real.weight": kernels,
        "spectrogram_extractor.stft.conv_imag.weight": kernels,
        "logmel_extractor.melW": np.ascontiguousarray(mel_matrix),
    }
