"""Files of `torch.save`, read without torch and without running anything."""

import io
import math
import os
import pathlib
import pickle
import pickletools
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
# What state of samplers and the like is made of: not rebuilt, but None.
_LEFT_OUT = frozenset(
    "_codecs.encode numpy.dtype numpy.ndarray "
    "numpy.core.multiarray._reconstruct numpy._core.multiarray._reconstruct "
    "numpy.core.multiarray.scalar numpy._core.multiarray.scalar".split()
)
# Those that data needs, by their names in `pickletools`.
_INSTRUCTIONS = frozenset(
    "PROTO FRAME MARK STOP NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 "
    "BINFLOAT BINUNICODE SHORT_BINUNICODE BINSTRING SHORT_BINSTRING BINBYTES "
    "SHORT_BINBYTES EMPTY_LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 "
    "TUPLE3 EMPTY_DICT SETITEM SETITEMS BINPUT LONG_BINPUT MEMOIZE BINGET "
    "LONG_BINGET GLOBAL STACK_GLOBAL REDUCE BUILD BINPERSID".split()
)
# Begins a file of torch before 1.6.
_MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
_MOST_PICKLE_BYTES = 2**27
# One byte can make an object of a hundred.
_MOST_INSTRUCTIONS = 4_000_000
# Unlike those of text, their hashes can be made to collide.
_MOST_NUMBERS_AS_KEYS = 4096
_MOST_AXES = 32
# So that sizes and strides in bytes fit the integers of NumPy.
_TOO_LARGE = 2**48


def read(path: str | os.PathLike) -> object:
    """What was given to `torch.save`: a state dict, or a dict around one.

    Both formats are read: the zip archive of torch 1.6 and later, and the
    pickles followed by raw storages of before.

    Returns:
      Dicts, lists, tuples, numbers and strings. Tensors are NumPy arrays;
      those that shared a storage share it here. Other objects of NumPy are
      None.

    Raises:
      UserError: the file is missing, truncated, damaged or of another format,
        or needs more than data to be read.
    """
    try:
        with pathlib.Path(path).open("rb") as file:
            start, size = file.read(512), os.fstat(file.fileno()).st_size
            file.seek(0)
            if start.startswith(b"PK\x03\x04"):
                return _read_zip(file, size)
            if _MAGIC in start:
                return _read_legacy(file, size)
            raise UserError(
                "is no file of torch.save, or one of torch before 0.1.10"
            )
    except UserError as error:
        raise UserError(f"{path} {error}") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    # Damage makes `pickle` and `zipfile` raise nearly anything.
    except Exception as error:
        reason = str(error)[:200] or type(error).__name__
        raise UserError(f"{path} is truncated or damaged: {reason}") from error


def _read_zip(file: BinaryIO, size: int) -> object:
    archive = zipfile.ZipFile(file)
    names = archive.namelist()
    pickles = [name for name in names if name.split("/")[1:] == ["data.pkl"]]
    if len(pickles) != 1:
        raise UserError("is a zip archive, but not one of torch.save")
    folder = pickles[0].split("/")[0]
    # So that no entry, and not all of them together, outgrow the file.
    entries = archive.infolist()
    told = sum(max(e.file_size, e.compress_size) for e in entries)
    if told > size or any(e.compress_type for e in entries):
        raise UserError("is damaged: torch.save compresses nothing")
    byte_order = "little"
    if f"{folder}/byteorder" in names:
        byte_order = archive.read(f"{folder}/byteorder").decode()
    unpickler = _Unpickler(io.BytesIO(archive.read(pickles[0])), size)
    found = unpickler.load_next()
    for key, values in unpickler.storages.items():
        _fill(values, archive.read(f"{folder}/data/{key}"), byte_order)
    return found


def _read_legacy(file: BinaryIO, size: int) -> object:
    pickles = io.BytesIO(file.read(min(size, _MOST_PICKLE_BYTES)))
    unpickler = _Unpickler(pickles, size)
    # The magic number, a protocol and facts about a machine come first.
    *_, found, keys = [unpickler.load_next() for _ in range(5)]
    if sorted(keys) != sorted(unpickler.storages):
        raise ValueError("it lists other storages than it uses")
    file.seek(pickles.tell())
    for key in keys:
        values = unpickler.storages[key]
        if file.read(8) != values.size.to_bytes(8, "little"):
            raise ValueError("a storage is of another size than its tensors")
        _fill(values, file.read(values.nbytes), "little")
    return found


def _fill(values: np.ndarray, data: bytes, byte_order: str) -> None:
    if len(data) != values.nbytes:
        raise ValueError(
            f"a storage has {len(data)} bytes, its tensors need {values.nbytes}"
        )
    values[:] = np.frombuffer(data, values.dtype.newbyteorder(byte_order))


class _Unpickler(pickle._Unpickler):
    """Knows a few names only, and functions of ours stand behind them.

    It is Python's unpickler in Python: that in C allocates a memo up to any
    number that a pickle names, and lets nobody look at the keys of a dict.
    No instruction may take time by the size of what a pickle has made, which
    it could repeat without end.

    Args:
      pickles: one after the other.
      file_bytes: all storages together are no larger, whatever a pickle says,
        nor is any tensor.

    Attributes:
      storages: by key, those that were named; to be filled.
    """

    def __init__(self, pickles: io.BytesIO, file_bytes: int):
        super().__init__(pickles, encoding="latin-1")  # Of text of Python 2.
        self.storages: dict[str, np.ndarray] = {}
        self._pickles = pickles
        self._file_bytes = self._room = file_bytes
        self._numbers_as_keys = 0
        # Functions get the tuple of their arguments.
        self._names = _DTYPES | {
            "collections.OrderedDict": self._empty_dict,
            "torch.Size": lambda arguments: arguments[0],
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch._utils._rebuild_parameter": lambda arguments: arguments[0],
        }

    def load_next(self) -> object:
        """The value of the next pickle, once all its instructions are known."""
        start, num_memos = self._pickles.tell(), 0
        for number, (step, argument, _) in enumerate(
            pickletools.genops(self._pickles)
        ):
            if step.name not in _INSTRUCTIONS:
                raise UserError(
                    f"has the pickle instruction {step.code.encode('latin-1')}"
                    ", which no checkpoint needs"
                )
            if number > _MOST_INSTRUCTIONS:
                raise UserError("has a longer pickle than any checkpoint needs")
            # Numbers of the pickle's choice could be slow to look up.
            if step.name in ("BINPUT", "LONG_BINPUT"):
                if argument not in (num_memos, num_memos + 1):
                    raise ValueError("its pickle counts wrongly")
                num_memos += 1
        self._pickles.seek(start)
        self.memo.clear()
        return self.load()

    def find_class(self, module: str, name: str) -> object:
        path = f"{module}.{name}"
        if path in _LEFT_OUT:
            return lambda arguments: None
        if path not in self._names:
            raise UserError(
                f"names {ascii(path[:200])[1:-1]}, which no checkpoint needs: "
                "save the state_dict of its module alone"
            )
        return self._names[path]

    def persistent_load(self, identifier: object) -> np.ndarray:
        """A storage; its numbers are there when the pickle has been read."""
        # A sixth part, of torch before 0.4, is for a part of a storage.
        _, dtype, key, _, count, *part = identifier[:7]
        if (
            not isinstance(key, str)
            or not isinstance(count, int)
            or part not in ([], [None])
        ):
            raise ValueError("it describes a storage wrongly")
        if key not in self.storages:
            self._room -= count * dtype.itemsize
            if self._room < 0:
                raise ValueError("its tensors are larger than the file")
            self.storages[key] = np.zeros(count, dtype)
        values = self.storages[key]
        if values.dtype != dtype or values.size != count:
            raise ValueError("it describes a storage in two ways")
        return values

    def _empty_dict(self, items: tuple) -> dict:
        if items:
            raise ValueError("an OrderedDict starts with items")
        return {}

    def _tensor(self, arguments: tuple) -> np.ndarray:
        """`torch._utils._rebuild_tensor_v2`: a view of a storage."""
        # A seventh one would change the values when they are read.
        values, offset, sizes, strides, _, _ = arguments
        if not len(sizes) == len(strides) <= _MOST_AXES or not all(
            type(number) is int and 0 <= number < _TOO_LARGE
            for number in (offset, *sizes, *strides)
        ):
            raise ValueError("it describes a tensor wrongly")
        # A stride of 0 makes a large tensor of a small storage, and so a
        # large network of a small file.
        if math.prod(max(size, 1) for size in sizes) > self._file_bytes:
            raise ValueError(
                f"a tensor of {sizes} numbers is larger than the file"
            )
        if 0 in sizes:
            return np.zeros(sizes, values.dtype)
        reach = zip(sizes, strides, strict=True)
        last = offset + sum((size - 1) * stride for size, stride in reach)
        if last >= values.size:
            raise ValueError(
                f"a tensor reaches to number {last} of a storage of "
                f"{values.size}"
            )
        return np.ndarray(
            sizes,
            values.dtype,
            buffer=values,
            offset=offset * values.itemsize,
            strides=[stride * values.itemsize for stride in strides],
        )

    def load_reduce(self):
        # No value but what `find_class` gives can be called.
        arguments, function = self.stack.pop(), self.stack.pop()
        self.append(function(arguments))

    def load_build(self):
        # A state is dropped: that of an ordered dict holds versions of
        # modules.
        self.stack.pop()

    def load_setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
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
        if not isinstance(self.stack[-1], dict):
            raise ValueError("its pickle adds to what is no dict")
        self.stack[-1][key] = value

    def load_setitems(self):
        items = self.pop_mark()
        for key, value in zip(items[::2], items[1::2], strict=True):
            self.stack += (key, value)
            self.load_setitem()

    dispatch = pickle._Unpickler.dispatch | {
        pickle.REDUCE[0]: load_reduce,
        pickle.BUILD[0]: load_build,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
    }
