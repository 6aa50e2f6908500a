"""Files of `torch.save`, read without torch and without running anything."""

import contextlib
import dataclasses
import io
import math
import os
import pathlib
import struct
import zipfile
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from data.user_error import UserError
from train import inert_pickle
from train.inert_pickle import BoundedBytes, Name, Opaque

_DTYPES = {
    "torch.DoubleStorage": "f8",
    "torch.FloatStorage": "f4",
    "torch.HalfStorage": "f2",
    "torch.LongStorage": "i8",
    "torch.IntStorage": "i4",
    "torch.ShortStorage": "i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "?",
}
# State of samplers and the like; only tensors are rebuilt.
_OPAQUE = (
    "_codecs.encode",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
)
# First values of a file of torch before 1.6.
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
# Of numbers, so that their bytes fit the integers of NumPy.
_TOO_MANY = 2**48
_MOST_AXES = 32


def read(path: str | os.PathLike) -> object:
    """What was given to `torch.save`: a state dict, or a dict around one.

    Both formats are read: the zip archive of torch 1.6 and later, and the
    pickles followed by raw storages of before.

    Args:
      path: the file.

    Returns:
      Dicts, lists, tuples, numbers and strings. Tensors are NumPy arrays;
      those that shared a storage share it here. Other objects of NumPy are
      `Opaque`.

    Raises:
      UserError: the file is missing, truncated, damaged or of another format,
        or needs more than data to be read.
    """
    try:
        with pathlib.Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(512)
            file.seek(0)
            if start.startswith(b"PK\x03\x04"):
                return _read_zip(file, size)
            if start[257:262] == b"ustar":
                raise ValueError(
                    "is in the tar format of torch before 0.1.10: load it "
                    "with a torch that reads it, and save its state_dict again"
                )
            return _read_legacy(BoundedBytes(file, size))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} {error}") from error


@dataclasses.dataclass(frozen=True, eq=False)
class _Storage:
    """Numbers that tensors are views of; filled after the pickle is read."""

    values: np.ndarray


class _Storages:
    """The storages that a pickle names, by key, and the tensors on them.

    Together the storages are no larger than the file, whatever it says.

    Args:
      file_bytes: size of the file.
      num_facts: parts of a storage's description after the first word.
    """

    def __init__(self, file_bytes: int, num_facts: int):
        self._file_bytes = self._room = file_bytes
        self._num_facts = num_facts
        self.by_key: dict[str, _Storage] = {}

    def find(self, identifier: object) -> _Storage:
        """("storage", type, key, device, count, ...) -> its storage."""
        if not isinstance(identifier, tuple) or not identifier:
            raise ValueError("is damaged: it refers to no storage")
        what, *facts = identifier
        # Asked for its type first: a tensor would compare number by number.
        if isinstance(what, str) and what == "module":
            raise ValueError(
                "holds a whole module: save its state_dict instead"
            )
        if not isinstance(what, str) or what != "storage":
            raise ValueError("is damaged: it refers to no storage")
        if len(facts) != self._num_facts:
            raise ValueError("is damaged: it describes a storage wrongly")
        kind, key, _, count, *view = facts
        if (
            not isinstance(kind, Name)
            or kind.path not in _DTYPES
            or not isinstance(key, str)
            or not _are_counts((count,))
            or any(part is not None for part in view)
        ):
            raise ValueError("is damaged: it describes a storage wrongly")
        dtype = np.dtype(_DTYPES[kind.path])
        if key not in self.by_key:
            self._room -= count * dtype.itemsize
            if self._room < 0:
                raise ValueError(
                    "is truncated: its tensors are larger than the file"
                )
            self.by_key[key] = _Storage(np.zeros(count, dtype))
        storage = self.by_key[key]
        if storage.values.dtype != dtype or storage.values.size != count:
            raise ValueError("is damaged: it describes a storage in two ways")
        return storage

    def tensor(self, arguments: tuple) -> np.ndarray:
        """(storage, offset, sizes, strides, ...) -> view of the storage."""
        # A seventh argument is there when reading would change the values.
        if len(arguments) != 6:
            raise ValueError("is damaged: it describes a tensor wrongly")
        storage, offset, sizes, strides = arguments[:4]
        if (
            not isinstance(storage, _Storage)
            or not _are_counts((offset,))
            or not _are_counts(sizes)
            or not _are_counts(strides)
            or len(sizes) != len(strides)
            or len(sizes) > _MOST_AXES
        ):
            raise ValueError("is damaged: it describes a tensor wrongly")
        values = storage.values
        if 0 in sizes:
            offset, strides = 0, (0,) * len(sizes)
        else:
            reach = zip(sizes, strides, strict=True)
            last = offset + sum((size - 1) * stride for size, stride in reach)
            if last >= values.size:
                raise ValueError(
                    f"is damaged: a tensor reaches to number {last} of a "
                    f"storage of {values.size}"
                )
        # A stride of 0 makes a large tensor of a small storage, and so a
        # large network of a small file.
        if math.prod(max(size, 1) for size in sizes) > self._file_bytes:
            raise ValueError(
                f"is damaged: a tensor of {sizes} numbers is larger than the "
                "file"
            )
        return np.ndarray(
            sizes,
            values.dtype,
            buffer=values,
            offset=offset * values.itemsize,
            strides=[stride * values.itemsize for stride in strides],
        )

    def fill(self, key: str, data: bytes, byte_order: str = "<") -> None:
        values = self.by_key[key].values
        if len(data) != values.nbytes:
            raise ValueError(
                f"is damaged: a storage has {len(data)} bytes, its tensors "
                f"need {values.nbytes}"
            )
        values[:] = np.frombuffer(data, values.dtype.newbyteorder(byte_order))


def _read_zip(file: BinaryIO, size: int) -> object:
    with _damage_told():
        archive = zipfile.ZipFile(file)
    infos = {info.filename: info for info in archive.infolist()}
    pickles = [name for name in infos if name.split("/")[1:] == ["data.pkl"]]
    if len(pickles) != 1:
        raise ValueError("is a zip archive, but not one of torch.save")
    prefix = pickles[0].split("/")[0]
    if f"{prefix}/constants.pkl" in infos:
        raise ValueError(
            "is a TorchScript archive, which holds a program: save the "
            "state_dict of its module instead"
        )
    # So that no entry, and not all of them together, outgrow the file.
    stored = all(
        info.compress_type == zipfile.ZIP_STORED
        and info.file_size == info.compress_size
        for info in infos.values()
    )
    if not stored or sum(i.file_size for i in infos.values()) > size:
        raise ValueError("is damaged: torch.save compresses nothing")

    def content(name):
        if name not in infos:
            raise ValueError(f"is damaged: it lacks {ascii(name)[:80]}")
        with _damage_told():
            return archive.read(infos[name])

    byte_order = "<"
    if f"{prefix}/byteorder" in infos:
        orders = {b"little": "<", b"big": ">"}
        byte_order = orders.get(content(f"{prefix}/byteorder"))
        if byte_order is None:
            raise ValueError("is damaged: its byte order is unknown")
    storages = _Storages(size, num_facts=4)
    pickled = content(pickles[0])
    found = _load(BoundedBytes(io.BytesIO(pickled), len(pickled)), storages)
    for key in storages.by_key:
        storages.fill(key, content(f"{prefix}/data/{key}"), byte_order)
    return found


@contextlib.contextmanager
def _damage_told() -> Iterator[None]:
    """Every way in which `zipfile` tells that an archive is damaged."""
    try:
        yield
    except (
        EOFError,
        NotImplementedError,
        OSError,
        OverflowError,
        RuntimeError,
        ValueError,
        struct.error,
        zipfile.BadZipFile,
    ) as error:
        reason = str(error) or "it ends too soon"
        raise ValueError(f"is truncated or damaged: {reason}") from error


def _read_legacy(source: BoundedBytes) -> object:
    size = source.left
    try:
        magic = inert_pickle.load(source, {})
    except ValueError as error:
        raise ValueError(f"is no file of torch.save (it {error})") from error
    if magic != _MAGIC:
        raise ValueError("is no file of torch.save")
    if inert_pickle.load(source, {}) != _PROTOCOL:
        raise ValueError(f"is of another protocol of torch than {_PROTOCOL}")
    inert_pickle.load(source, {})  # Facts about the machine that wrote it.
    storages = _Storages(size, num_facts=5)
    found = _load(source, storages)
    keys = inert_pickle.load(source, {})
    if (
        not isinstance(keys, list)
        or not all(isinstance(key, str) for key in keys)
        or set(keys) != set(storages.by_key)
    ):
        raise ValueError("is damaged: it lists other storages than it uses")
    for key in keys:
        itemsize = storages.by_key[key].values.itemsize
        storages.fill(key, source.take(source.number("<q") * itemsize))
    return found


def _load(source: BoundedBytes, storages: _Storages) -> object:
    calls = {
        "collections.OrderedDict": _ordered_dict,
        "torch.Size": _size,
        "torch._utils._rebuild_tensor_v2": storages.tensor,
        "torch._utils._rebuild_parameter": _parameter,
    }
    for path in _OPAQUE:
        calls[path] = lambda arguments, path=path: Opaque(path)
    return inert_pickle.load(source, calls, frozenset(_DTYPES), storages.find)


def _ordered_dict(arguments: tuple) -> dict:
    if arguments:
        raise ValueError("is damaged: an OrderedDict starts with items")
    return {}


def _size(arguments: tuple) -> tuple[int, ...]:
    if len(arguments) != 1 or not _are_counts(arguments[0]):
        raise ValueError("is damaged: a torch.Size is no tuple of sizes")
    return arguments[0]


def _parameter(arguments: tuple) -> np.ndarray:
    if len(arguments) != 3 or not isinstance(arguments[0], np.ndarray):
        raise ValueError("is damaged: a parameter is no tensor")
    return arguments[0]


def _are_counts(values: object) -> bool:
    return isinstance(values, tuple) and all(
        type(value) is int and 0 <= value < _TOO_MANY for value in values
    )
