"""Absl flags from the fields of a frozen dataclass, and back.

A configuration is written once, as a dataclass whose fields come from
`option`; the flag's name, type, default and help are those of the field.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar

from absl import flags

from data.run.errors import UserError

# The flags belong to the entry point that asks for them, so that its --help
# lists them.
flags.disclaim_key_flags()

ConfigT = TypeVar("ConfigT")


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
      minimum: lower bound of a number.
      maximum: upper bound of a number.
      runtime_only: the value may change when a run is continued.
    """
    metadata = {
        "help": help,
        "choices": choices,
        "minimum": minimum,
        "maximum": maximum,
        "runtime_only": runtime_only,
    }
    return dataclasses.field(default=default, metadata=metadata)


def define(config_class: type, flag_values=flags.FLAGS) -> None:
    """Defines one flag for each field of `config_class`."""
    for field in dataclasses.fields(config_class):
        name, default, help = field.name, field.default, field.metadata["help"]
        low, high = field.metadata["minimum"], field.metadata["maximum"]
        if field.metadata["choices"]:
            flags.DEFINE_enum(
                name,
                default,
                field.metadata["choices"],
                help,
                flag_values=flag_values,
            )
        elif field.type in (bool, "bool"):
            flags.DEFINE_bool(name, default, help, flag_values=flag_values)
        elif field.type in (int, "int", int | None, "int | None"):
            flags.DEFINE_integer(
                name, default, help, low, high, flag_values=flag_values
            )
        elif field.type in (float, "float", float | None, "float | None"):
            flags.DEFINE_float(
                name, default, help, low, high, flag_values=flag_values
            )
        elif isinstance(default, tuple):
            flags.DEFINE_list(
                name,
                [str(item) for item in default],
                help,
                flag_values=flag_values,
            )
        else:
            flags.DEFINE_string(name, default, help, flag_values=flag_values)


def read(config_class: type[ConfigT], flag_values=flags.FLAGS) -> ConfigT:
    """Builds `config_class` from parsed flags.

    Raises:
      UserError: the values do not go together (the dataclass's own check).
    """
    values = {}
    for field in dataclasses.fields(config_class):
        value = flag_values[field.name].value
        values[field.name] = tuple(value) if isinstance(value, list) else value
    try:
        return config_class(**values)
    except ValueError as error:
        raise UserError(str(error)) from error


def runtime_only_fields(config_class: type) -> frozenset[str]:
    """Names of the fields that may change when a run is continued."""
    return frozenset(
        field.name
        for field in dataclasses.fields(config_class)
        if field.metadata["runtime_only"]
    )
