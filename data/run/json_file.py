"""JSON files, which may have been changed by hand: read as a schema says."""

import dataclasses
import json
import os
import pathlib
import types
import typing
from typing import Annotated, Any

from data.run.errors import UserError


def _plain_name(name: str) -> bool:
    return (
        name.isprintable()
        and not name.startswith(".")
        and not {"/", "\\"} & {*name}
        and 0 < len(os.fsencode(name)) < 256
    )


def _can_be_path(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


PathName = Annotated[str, _can_be_path, "a path"]

PlainName = Annotated[str, _plain_name, "the plain name of a file"]
"""One that leads out of no folder, and hides in none."""

Count = Annotated[int, lambda n: 0 <= n < 2**63, "a count"]

Digest = Annotated[str, str.isalnum, "a digest"]


def read(
    file: str | os.PathLike, schema: Any, remedy: str, **given: Any
) -> Any:
    """Reads a file whose value must be of a type.

    Args:
      file: its path.
      schema: the type: a dataclass, which is made (and may refuse by a
        `ValueError`), or a TypedDict, whose other keys are let stand; of
        numbers, strings, `None`, `object`, lists, tuples and dictionaries of
        such, unions, and `Annotated[type, check, what is wanted]`.
      remedy: what to do where it is not.
      given: further fields of the dataclass, which the file has not.

    Raises:
      UserError: the file is missing or cannot be read, or its value is of
        another type: names file, field, what was found and the remedy.
    """
    path = pathlib.Path(file)
    try:
        if not path.is_file():
            raise ValueError("it is not a file")
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        what = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"{file} is not valid JSON ({what}): {remedy}"
        ) from error
    try:
        return _as(value, schema, "", given)
    except ValueError as error:
        raise UserError(f"{file}: {error}: {remedy}") from error


def _as(value: Any, kind: Any, place: str, given: dict | None = None) -> Any:
    """The value as that type; `place` is where it stands, for the error."""
    if kind in (object, Any):
        return value
    origin, of = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        value = _as(value, of[0], place)
        for check, wanted in zip(of[1::2], of[2::2], strict=True):
            _check(check(value), value, wanted, place)
        return value
    if origin is typing.NotRequired:
        return _as(value, of[0], place)
    if origin in (typing.Union, types.UnionType):
        for number, one in enumerate(of, 1):
            try:
                return _as(value, one, place)
            except ValueError:
                if number == len(of):
                    raise
    if origin in (list, tuple):
        _check(isinstance(value, list), value, "a list", place)
        items = enumerate(value)
        return origin(_as(v, of[0], f"{place}[{k}]") for k, v in items)
    if origin is dict:
        _check(isinstance(value, dict), value, "a table", place)
        return {
            _as(k, of[0], f"a key of {place}"): _as(v, of[1], _join(place, k))
            for k, v in value.items()
        }
    if dataclasses.is_dataclass(kind) or typing.is_typeddict(kind):
        _check(isinstance(value, dict), value, "a table", place)
        return _table(value, kind, place, given or {})
    if kind is float:
        is_number = type(value) in (int, float) and abs(value) < 1e300
        _check(is_number, value, "a number", place)
        return float(value)
    _check(type(value) is kind, value, _CALLED[kind], place)
    return value


_CALLED = {
    int: "a whole number",
    str: "a text",
    bool: "true or false",
    type(None): "null",
}


def _table(value: dict, kind: type, place: str, given: dict) -> Any:
    hints = typing.get_type_hints(kind, include_extras=True)
    if typing.is_typeddict(kind):
        needed, make = kind.__required_keys__, dict
    else:
        fields, make = dataclasses.fields(kind), kind
        needed = {
            f.name
            for f in fields
            if f.default is f.default_factory is dataclasses.MISSING
        }
        if unknown := value.keys() - hints.keys() | value.keys() & given.keys():
            name = _join(place, min(unknown))
            raise ValueError(f"{name} is no field that is known")
    for name in sorted(needed - value.keys() - given.keys()):
        raise ValueError(f"it has no {_join(place, name)}")
    return make(
        **{
            name: _as(item, hints.get(name, object), _join(place, name))
            for name, item in value.items()
        },
        **given,
    )


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _check(holds: bool, value: Any, wanted: str, place: str) -> None:
    if not holds:
        raise _wrong(value, wanted, place)


def _wrong(value: Any, wanted: str, place: str) -> ValueError:
    found = json.dumps(value, ensure_ascii=False)
    found = found if len(found) <= 60 else f"{found[:57]}..."
    return ValueError(f"{place or 'it'} is {found}, not {wanted}")
