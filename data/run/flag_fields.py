"""Absl flags from the fields of a frozen dataclass, and back.

A configuration is written once, as a dataclass whose fields come from
`option`; the flag's name, type, default and help are those of the field.
"""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from absl import flags

from data.run.errors import UserError

# The flags belong to the entry point that asks for them, so that its --help
# lists them.
flags.disclaim_key_flags()

ConfigT = TypeVar("ConfigT")

# TPUs have such addresses.
_SCHEME = re.compile(r"(?!grpc:)[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def option(
    default: Any,
    help: str,
    *,
    choices: Sequence[str] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    runtime_only: bool = False,
) -> Any:
    """A dataclass field that is also a flag.

    Args:
      default: the default value; a tuple makes a comma-separated list flag.
      help: the flag's help; states the unit.
      choices: allowed values of a string.
      minimum, maximum: bounds of a number.
      runtime_only: the value may change when a run is continued.
    """
    metadata = {
        "help": help,
        "choices": choices,
        "bounds": {"lower_bound": minimum, "upper_bound": maximum},
        "runtime_only": runtime_only,
    }
    return dataclasses.field(default=default, metadata=metadata)


def define(config_class: type, flag_values=flags.FLAGS) -> None:
    """Defines one flag for each field of `config_class`."""
    for field in dataclasses.fields(config_class):
        options = {
            "name": field.name,
            "default": field.default,
            "help": field.metadata["help"],
            "flag_values": flag_values,
        }
        if choices := field.metadata["choices"]:
            flags.DEFINE_enum(**options, enum_values=choices)
        elif field.type is bool:
            flags.DEFINE_bool(**options)
        elif field.type in (int, int | None):
            flags.DEFINE_integer(**options, **field.metadata["bounds"])
        elif field.type in (float, float | None):
            flags.DEFINE_float(**options, **field.metadata["bounds"])
        elif isinstance(field.default, tuple):
            flags.DEFINE_list(**options | {"default": list(field.default)})
        else:
            flags.DEFINE_string(**options)


def read(config_class: type[ConfigT], flag_values=flags.FLAGS) -> ConfigT:
    """Builds `config_class` from parsed flags.

    Raises:
      UserError: a path is of another machine (scheme://), or the values do
        not go together (the dataclass's own check).
    """
    values = {}
    for field in dataclasses.fields(config_class):
        value = flag_values[field.name].value
        values[field.name] = tuple(value) if isinstance(value, list) else value
        for text in value if isinstance(value, list) else [value]:
            if found := isinstance(text, str) and _SCHEME.match(text):
                raise UserError(
                    f"--{field.name}={text}: {found[0]} is not supported; name "
                    "a path of this machine, where it may be mounted"
                )
    try:
        return config_class(**values)
    except ValueError as error:
        raise UserError(str(error)) from error
