"""Files of `torch.save`, read without torch and without running anything."""

import dataclasses
import io
import math
import os
import pathlib
import pickle
import pickletools
import re
import struct
import zipfile
from typing import BinaryIO

import numpy as np

from data.run.errors import UserError

_DTYPES = {
    "torch.DoubleStorage": np.dtype("f8"),
    "torch.FloatStorage": np.dtype("f4"),
    "torch.HalfStorage": np.dtype("f2"),
    "torch.LongStorage": np.dtype("i8"),
    "torch.IntStorage": np.dtype("i4"),
    "torch.ShortStorage": np.dtype("i2"),
    "torch.CharStorage": np.dtype("i1"),
    "torch.ByteStorage": np.dtype("u1"),
    "torch.BoolStorage": np.dtype("?"),
}
# State of samplers and the like; only tensors are rebuilt.
_OPAQUE = re.compile(
    r"_codecs\.encode|numpy\.(dtype|ndarray"
    r"|_?core\.multiarray\.(_reconstruct|scalar))"
)
# Those that data needs, by their names in `pickletools`.
_INSTRUCTIONS = frozenset(
    "PROTO FRAME MARK STOP NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 "
    "BINFLOAT BINUNICODE SHORT_BINUNICODE BINSTRING SHORT_BINSTRING BINBYTES "
    "SHORT_BINBYTES EMPTY_LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 "
    "TUPLE3 EMPTY_DICT SETITEM SETITEMS BINPUT LONG_BINPUT MEMOIZE BINGET "
    "LONG_BINGET GLOBAL STACK_GLOBAL REDUCE BUILD BINPERSID".split()
)
# First values of a file of torch before 1.6.
_MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
_PROTOCOL = 1001
# Of numbers, so that their bytes fit the integers of NumPy.
_TOO_MANY = 2**48
_MOST_AXES = 32
_LONGEST_NAME = 200
_MOST_ARGUMENTS = 7  # Of `_rebuild_tensor_v2`.
_MOST_PICKLE_BYTES = 2**27
# One byte can make an object of a hundred.
_MOST_INSTRUCTIONS = 4_000_000
# Unlike those of text, their hashes can be made to collide.
_MOST_NUMBERS_AS_KEYS = 4096


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
            return _read(file, os.fstat(file.fileno()).st_size)
    except UserError as error:
        raise UserError(f"{path} {error}") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    # Damage makes `pickle` and `zipfile` raise nearly anything.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise UserError(f"{path} is truncated or damaged: {reason}") from error


def _read(file: BinaryIO, size: int) -> object:
    start = file.read(512)
    file.seek(0)
    if start.startswith(b"PK\x03\x04"):
        return _read_zip(file, size)
    if start[257:262] == b"ustar":
        raise UserError(
            "is in the tar format of torch before 0.1.10: load it with a "
            "torch that reads it, and save its state_dict again"
        )
    if _MAGIC not in start:
        raise UserError("is no file of torch.save")
    return _read_legacy(file, size)


def _read_zip(file: BinaryIO, size: int) -> object:
    archive = zipfile.ZipFile(file)
    infos = {info.filename: info for info in archive.infolist()}
    pickles = [name for name in infos if name.split("/")[1:] == ["data.pkl"]]
    if len(pickles) != 1:
        raise UserError("is a zip archive, but not one of torch.save")
    folder = pickles[0].split("/")[0]
    if f"{folder}/constants.pkl" in infos:
        raise UserError(
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
        raise UserError("is damaged: torch.save compresses nothing")

    def content(name):
        if name not in infos:
            raise UserError(f"is damaged: it lacks {ascii(name)[:80]}")
        return archive.read(infos[name])

    byte_order = "little"
    if f"{folder}/byteorder" in infos:
        byte_order = content(f"{folder}/byteorder").decode()
        if byte_order not in ("little", "big"):
            raise UserError("is damaged: its byte order is unknown")
    storages = _Storages(size)
    found = _unpickle(io.BytesIO(content(f"{folder}/data.pkl")), storages)
    for key in storages.by_key:
        data = content(f"{folder}/data/{key}")
        storages.fill(key, data, byte_order)
    return found


def _read_legacy(file: BinaryIO, size: int) -> object:
    pickles = io.BytesIO(file.read(min(size, _MOST_PICKLE_BYTES)))
    storages = _Storages(size)
    _unpickle(pickles, storages)  # The magic number.
    if _unpickle(pickles, storages) != _PROTOCOL:
        raise UserError(f"is of another protocol of torch than {_PROTOCOL}")
    _unpickle(pickles, storages)  # Facts about the machine that wrote it.
    found = _unpickle(pickles, storages)
    keys = _unpickle(pickles, storages)
    if (
        not isinstance(keys, list)
        or not all(isinstance(k, str) and k in storages.by_key for k in keys)
        or len(set(keys)) != len(storages.by_key)
    ):
        raise UserError("is damaged: it lists other storages than it uses")
    file.seek(pickles.tell())
    for key in keys:
        [count] = struct.unpack("<q", file.read(8))
        num_bytes = count * storages.by_key[key].itemsize
        data = file.read(max(0, min(num_bytes, size)))
        if len(data) != num_bytes:
            raise UserError("is truncated")
        storages.fill(key, data)
    return found


class _Storages:
    """The storages that a pickle names, by key, and the tensors on them.

    Storages are filled after the pickle is read. Together they are no larger
    than the file, whatever it says.
    """

    def __init__(self, file_bytes: int):
        self._file_bytes = self._room = file_bytes
        self.by_key: dict[str, np.ndarray] = {}

    def find(self, what, dtype=None, key=None, _=None, count=None, view=None):
        """Numbers of the storage that these parts of an identifier tell."""
        # Asked for its type first: an array would compare number by number.
        if isinstance(what, str) and what == "module":
            raise UserError("holds a whole module: save its state_dict instead")
        if (
            not isinstance(what, str)
            or what != "storage"
            or not isinstance(dtype, np.dtype)
            or not isinstance(key, str)
            or len(key) > _LONGEST_NAME
            or not _is_count(count)
            or view is not None
        ):
            raise UserError("is damaged: it describes a storage wrongly")
        if key not in self.by_key:
            self._room -= count * dtype.itemsize
            if self._room < 0:
                raise UserError(
                    "is truncated: its tensors are larger than the file"
                )
            self.by_key[key] = np.zeros(count, dtype)
        values = self.by_key[key]
        if values.dtype != dtype or values.size != count:
            raise UserError("is damaged: it describes a storage in two ways")
        return values

    def tensor(self, values, offset, sizes, strides, _, hooks, *changes):
        """`torch._utils._rebuild_tensor_v2`: a view of a storage."""
        if (
            changes  # Of the values, when they are read.
            or not isinstance(values, np.ndarray)
            or not isinstance(sizes, tuple)
            or not isinstance(strides, tuple)
            or not len(sizes) == len(strides) <= _MOST_AXES
            or not all(map(_is_count, (offset, *sizes, *strides)))
        ):
            raise UserError("is damaged: it describes a tensor wrongly")
        # A stride of 0 makes a large tensor of a small storage, and so a
        # large network of a small file.
        if math.prod(max(size, 1) for size in sizes) > self._file_bytes:
            raise UserError(
                f"is damaged: a tensor of {sizes} numbers is larger than the "
                "file"
            )
        if 0 in sizes:
            return np.zeros(sizes, values.dtype)
        reach = zip(sizes, strides, strict=True)
        last = offset + sum((size - 1) * stride for size, stride in reach)
        if last >= values.size:
            raise UserError(
                f"is damaged: a tensor reaches to number {last} of a storage "
                f"of {values.size}"
            )
        return np.ndarray(
            sizes,
            values.dtype,
            buffer=values,
            offset=offset * values.itemsize,
            strides=[stride * values.itemsize for stride in strides],
        )

    def fill(self, key: str, data: bytes, byte_order: str = "little") -> None:
        values = self.by_key[key]
        if len(data) != values.nbytes:
            raise UserError(
                f"is damaged: a storage has {len(data)} bytes, its tensors "
                f"need {values.nbytes}"
            )
        values[:] = np.frombuffer(data, values.dtype.newbyteorder(byte_order))


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < _TOO_MANY


@dataclasses.dataclass(frozen=True)
class Opaque:
    """Stands for an object of a kind that is not rebuilt."""

    path: str


def _unpickle(pickles: BinaryIO, storages: _Storages) -> object:
    """The value of the next pickle, once all its instructions are known."""
    start, num_memos = pickles.tell(), 0
    for number, (step, argument, at) in enumerate(pickletools.genops(pickles)):
        if step.name not in _INSTRUCTIONS:
            raise UserError(
                f"has the pickle instruction {step.code.encode('latin-1')}, "
                "which no checkpoint needs"
            )
        if number > _MOST_INSTRUCTIONS or at - start > _MOST_PICKLE_BYTES:
            raise UserError("has a longer pickle than any checkpoint needs")
        # Numbers of the pickle's choice could be slow to look up.
        if step.name in ("BINPUT", "LONG_BINPUT"):
            if argument not in (num_memos, num_memos + 1):
                raise UserError("is damaged: its pickle counts wrongly")
            num_memos += 1
    end = pickles.tell()
    pickles.seek(start)
    value = _Unpickler(pickles, storages).load()
    pickles.seek(end)
    return value


class _Unpickler(pickle._Unpickler):
    """Knows a few names only, and functions of ours stand behind them.

    It is Python's unpickler in Python: that in C allocates a memo up to any
    number that a pickle names, and lets nobody look at the keys of a dict.
    """

    def __init__(self, file: BinaryIO, storages: _Storages):
        super().__init__(file, encoding="latin-1")  # Of text of Python 2.
        self._storages = storages
        self._names = _DTYPES | {
            "collections.OrderedDict": _ordered_dict,
            "torch.Size": lambda sizes: sizes,
            "torch._utils._rebuild_tensor_v2": storages.tensor,
            "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
        }
        self._numbers_as_keys = 0

    def find_class(self, module: str, name: str) -> object:
        path = f"{module}.{name}"
        if _OPAQUE.fullmatch(path):
            return lambda *_: Opaque(path)
        if path not in self._names:
            shown = ascii(path[:_LONGEST_NAME])[1:-1]
            raise UserError(f"names {shown}, which no checkpoint needs")
        return self._names[path]

    def persistent_load(self, identifier: object) -> np.ndarray:
        if not isinstance(identifier, tuple):
            raise UserError("is damaged: it refers to no storage")
        return self._storages.find(*identifier)

    def load_reduce(self):
        arguments, function = self.stack.pop(), self.stack.pop()
        # No value but what `find_class` gives can be called.
        if (
            not callable(function)
            or not isinstance(arguments, tuple)
            or len(arguments) > _MOST_ARGUMENTS
        ):
            raise UserError("is damaged: its pickle calls what is no function")
        self.append(function(*arguments))

    def load_build(self):
        # A state is dropped: that of an ordered dict holds versions of
        # modules, that of an opaque object is of no use.
        self.stack.pop()
        self._top((dict, Opaque))

    def load_setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
        target = self._top(dict)
        self._numbers_as_keys += not isinstance(key, (str, bytes))
        if (
            # Of other keys even the hash would be up to the pickle.
            not isinstance(key, (str, bytes, int, float, type(None)))
            or self._numbers_as_keys > _MOST_NUMBERS_AS_KEYS
        ):
            raise UserError(
                f"has a {type(key).__name__} as a key, or more than "
                f"{_MOST_NUMBERS_AS_KEYS} numbers: save the state_dict of its "
                "module alone"
            )
        size = len(target)
        target[key] = value
        if len(target) == size:
            raise UserError("is damaged: its pickle sets a key twice")

    def load_setitems(self):
        items = self.pop_mark()
        for key, value in zip(items[::2], items[1::2], strict=True):
            self.stack += (key, value)
            self.load_setitem()

    def _top(self, kind):
        """The value on top, which must be of `kind`."""
        value = self.stack[-1]
        if not isinstance(value, kind):
            raise UserError(
                f"is damaged: its pickle adds to a {type(value).__name__}"
            )
        return value

    dispatch = pickle._Unpickler.dispatch | {
        pickle.REDUCE[0]: load_reduce,
        pickle.BUILD[0]: load_build,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
    }


def _ordered_dict(*items) -> dict:
    if items:
        raise UserError("is damaged: an OrderedDict starts with items")
    return {}
