"""Pickles read as data: nothing in them is imported, looked up or run.

A pickle is a program for a small stack machine, and Python's own machine
lets it name any function and call it. The one here knows the instructions
that data needs; a name in a pickle stays a name, and "calls" go to a few
functions of the reader's.
"""

import dataclasses
import struct
from collections.abc import Callable, Mapping
from typing import BinaryIO

_LONGEST_NAME = 200
_KEY_TYPES = (str, bytes, int, float, type(None))


@dataclasses.dataclass(frozen=True)
class Name:
    """A class or function by its dotted path; nothing stands behind it."""

    path: str


@dataclasses.dataclass(frozen=True)
class Opaque:
    """Stands for an object of a kind that is not rebuilt."""

    path: str


class BoundedBytes:
    """The bytes of a file from its position on, and never more than those."""

    def __init__(self, file: BinaryIO, num_bytes: int):
        self._file = file
        self.left = num_bytes

    def take(self, count: int) -> bytes:
        """The next `count` bytes.

        Raises:
          ValueError: there are fewer.
        """
        if not 0 <= count <= self.left:
            raise ValueError("is truncated")
        self.left -= count
        data = self._file.read(count)
        if len(data) != count:
            raise ValueError("is truncated")
        return data

    def number(self, form: str) -> int | float:
        """The next number in a format of `struct`."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]


def load(
    source: BoundedBytes,
    calls: Mapping[str, Callable[[tuple], object]],
    names: frozenset[str] = frozenset(),
    persistent: Callable[[object], object] | None = None,
) -> object:
    """Reads one pickle, to its end and no byte further.

    Args:
      source: what is read.
      calls: path -> function of the arguments, for what may be called.
      names: paths that may be named, but not called.
      persistent: identifier -> object that is kept outside the pickle.

    Returns:
      Numbers, strings, bytes, lists, tuples and dicts, what `calls` and
      `persistent` make, and a `Name` for what is named.

    Raises:
      ValueError: the pickle is truncated or damaged, names something else,
        or holds an instruction that data does not need.
    """
    return _Machine(source, calls, names, persistent).run()


class _Machine:
    def __init__(self, source, calls, names, persistent):
        self._source = source
        self._calls = calls
        self._names = names
        self._persistent = persistent
        self._stack = []
        # Stacks that were put aside, one for each open mark.
        self._aside = []
        self._memo = {}

    def run(self):
        while True:
            code = self._source.take(1)
            if code == b".":
                return self._pop()
            step = _STEPS.get(code)
            if step is None:
                raise ValueError(
                    f"has the pickle instruction {code!r}, which no "
                    "checkpoint needs"
                )
            step(self)

    def _pop(self):
        if not self._stack:
            raise ValueError("is damaged: its pickle runs out of values")
        return self._stack.pop()

    def _pop_many(self, count):
        if len(self._stack) < count:
            raise ValueError("is damaged: its pickle runs out of values")
        values = self._stack[-count:]
        del self._stack[-count:]
        return values

    def _pop_to_mark(self):
        if not self._aside:
            raise ValueError("is damaged: its pickle lacks a mark")
        values = self._stack
        self._stack = self._aside.pop()
        return values

    def _top(self, kind):
        """The value on top, which must be of `kind`."""
        value = self._pop()
        if not isinstance(value, kind):
            raise ValueError(
                f"is damaged: its pickle adds to a {type(value).__name__}"
            )
        self._stack.append(value)
        return value

    def push(self, value):
        self._stack.append(value)

    def push_bytes(self, length_form, decode=None):
        data = self._source.take(self._source.number(length_form))
        self.push(data if decode is None else decode(data))

    def push_number(self, form):
        self.push(self._source.number(form))

    def push_long(self):
        data = self._source.take(self._source.number("<B"))
        self.push(int.from_bytes(data, "little", signed=True))

    def protocol(self):
        if self._source.number("<B") > 5:
            raise ValueError("has a pickle of an unknown protocol")

    def mark(self):
        self._aside.append(self._stack)
        self._stack = []

    def marked_tuple(self):
        self.push(tuple(self._pop_to_mark()))

    def counted_tuple(self, count):
        self.push(tuple(self._pop_many(count)))

    def append(self):
        value = self._pop()
        self._top(list).append(value)

    def append_many(self):
        values = self._pop_to_mark()
        self._top(list).extend(values)

    def set_item(self):
        self._set_items(self._pop_many(2))

    def set_items(self):
        self._set_items(self._pop_to_mark())

    def _set_items(self, values):
        target = self._top(dict)
        if len(values) % 2:
            raise ValueError("is damaged: a key in its pickle has no value")
        for key, value in zip(values[::2], values[1::2], strict=True):
            # Of other keys even the hash would be up to the pickle.
            if not isinstance(key, _KEY_TYPES):
                raise ValueError(
                    f"has a {type(key).__name__} as a key, which no "
                    "checkpoint needs"
                )
            target[key] = value

    def put(self, form):
        value = self._pop()
        self._memo[self._source.number(form)] = value
        self.push(value)

    def memoize(self):
        value = self._pop()
        self._memo[len(self._memo)] = value
        self.push(value)

    def get(self, form):
        number = self._source.number(form)
        if number not in self._memo:
            raise ValueError("is damaged: its pickle recalls what it never had")
        self.push(self._memo[number])

    def global_name(self):
        self._push_name(self._line(), self._line())

    def stack_name(self):
        self._push_name(*self._pop_many(2))

    def _line(self):
        line = bytearray()
        while (byte := self._source.take(1)) != b"\n":
            line += byte
            if len(line) > _LONGEST_NAME:
                raise ValueError("is damaged: a name in its pickle never ends")
        return _text(bytes(line))

    def _push_name(self, module, name):
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("is damaged: a name in its pickle is no text")
        path = f"{module}.{name}"
        if path not in self._calls and path not in self._names:
            shown = ascii(path[:_LONGEST_NAME])[1:-1]
            raise ValueError(f"names {shown}, which no checkpoint needs")
        self.push(Name(path))

    def call(self):
        target, arguments = self._pop_many(2)
        if (
            not isinstance(target, Name)
            or target.path not in self._calls
            or not isinstance(arguments, tuple)
        ):
            raise ValueError("is damaged: its pickle calls what is no function")
        self.push(self._calls[target.path](arguments))

    def build(self):
        # A state is dropped: that of an ordered dict holds versions of
        # modules, that of an opaque object is of no use.
        self._pop()
        self._top((dict, Opaque))

    def persistent(self):
        if self._persistent is None:
            raise ValueError("refers to data outside of its pickle")
        self.push(self._persistent(self._pop()))


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            "is damaged: its pickle has text that is no UTF-8"
        ) from error


def _python_2_text(data: bytes) -> str:
    return data.decode("latin-1")


# Instructions by their codes in the `pickle` module of Python.
_STEPS = {
    b"\x80": _Machine.protocol,
    b"\x95": lambda machine: machine._source.take(8),  # Length of a frame.
    b"(": _Machine.mark,
    b"N": lambda machine: machine.push(None),
    b"\x88": lambda machine: machine.push(True),
    b"\x89": lambda machine: machine.push(False),
    b"J": lambda machine: machine.push_number("<i"),
    b"K": lambda machine: machine.push_number("<B"),
    b"M": lambda machine: machine.push_number("<H"),
    b"G": lambda machine: machine.push_number(">d"),
    b"\x8a": _Machine.push_long,
    b"X": lambda machine: machine.push_bytes("<I", _text),
    b"\x8c": lambda machine: machine.push_bytes("<B", _text),
    b"T": lambda machine: machine.push_bytes("<i", _python_2_text),
    b"U": lambda machine: machine.push_bytes("<B", _python_2_text),
    b"B": lambda machine: machine.push_bytes("<I"),
    b"C": lambda machine: machine.push_bytes("<B"),
    b"]": lambda machine: machine.push([]),
    b"a": _Machine.append,
    b"e": _Machine.append_many,
    b")": lambda machine: machine.push(()),
    b"t": _Machine.marked_tuple,
    b"\x85": lambda machine: machine.counted_tuple(1),
    b"\x86": lambda machine: machine.counted_tuple(2),
    b"\x87": lambda machine: machine.counted_tuple(3),
    b"}": lambda machine: machine.push({}),
    b"s": _Machine.set_item,
    b"u": _Machine.set_items,
    b"q": lambda machine: machine.put("<B"),
    b"r": lambda machine: machine.put("<I"),
    b"\x94": _Machine.memoize,
    b"h": lambda machine: machine.get("<B"),
    b"j": lambda machine: machine.get("<I"),
    b"c": _Machine.global_name,
    b"\x93": _Machine.stack_name,
    b"R": _Machine.call,
    b"b": _Machine.build,
    b"Q": _Machine.persistent,
}
