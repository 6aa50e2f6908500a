"""Absl flags from the fields of a frozen dataclass, and back.

A configuration is written once, as a dataclass whose fields come from
`option`; the flag's name, type, default and help are those of the field.
"""

import dataclasses
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from absl import flags, logging

from data.run.errors import UserError

# The flags belong to the entry point that asks for them, so that its --help
# lists them.
flags.disclaim_key_flags()

ConfigT = TypeVar("ConfigT")

# TPUs have such addresses.
_SCHEME = re.compile(r"(?!grpc:)[a-z][a-z0-9+.-]*://", re.IGNORECASE)
# What `define` has made flags of this program of.
defined: list[type] = []

REQUIRED = "Required"
OTHER = "Other flags"


def option(
    default: Any,
    help: str,
    *,
    choices: Sequence[str] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    runtime_only: bool = False,
    required: bool = False,
    group: str = "",
    needs: Mapping[str, Sequence] | None = None,
) -> Any:
    """A dataclass field that is also a flag.

    Args:
      default: the default value; a tuple makes a comma-separated list flag.
      help: the flag's help; states the unit.
      choices: allowed values of a string.
      minimum, maximum: bounds of a number.
      runtime_only: the value may change when a run is continued.
      required: whether there is nothing to do without it.
      group: subject of this field and those after it, up to the next one that
        names another; what --help lists it under.
      needs: values of other flags, one of which each must have, or else this
        one has no effect; without values, it must not be empty or false.
    """
    metadata = {
        "help": help,
        "choices": choices,
        "bounds": {"lower_bound": minimum, "upper_bound": maximum},
        "runtime_only": runtime_only,
        "required": required,
        "group": group,
        "needs": needs or {},
    }
    return dataclasses.field(default=default, metadata=metadata)


def inherited(options_class: type, name: str, default: Any) -> Any:
    """A field of a base class, with another default."""
    field = options_class.__dataclass_fields__[name]
    return dataclasses.field(default=default, metadata=field.metadata)


def define(config_class: type, flag_values=flags.FLAGS) -> None:
    """Defines one flag for each field of `config_class`."""
    if flag_values is flags.FLAGS:
        defined.append(config_class)
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

    A flag that was given and has no effect is told.

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
        config = config_class(**values)
    except ValueError as error:
        raise UserError(str(error)) from error
    for field in dataclasses.fields(config_class):
        if flag_values[field.name].present:
            for sentence in _without_effect(field, values):
                logging.warning("%s", sentence)
    return config


def _without_effect(field: dataclasses.Field, values: dict) -> list[str]:
    """A sentence for each other flag that keeps this one from having any."""
    return [
        f"--{field.name} has no effect with --{name}={_shown(values[name])}"
        for name, wanted in field.metadata["needs"].items()
        if (values[name] not in wanted if wanted else not values[name])
    ]


def help_page(config_class: type, about: str) -> str:
    """What --help prints: about the program, and its flags by subject.

    Those that are required come first.
    """
    groups: dict[str, list[str]] = {REQUIRED: []}
    subject = OTHER
    for field in dataclasses.fields(config_class):
        subject = field.metadata["group"] or subject
        place = REQUIRED if field.metadata["required"] else subject
        groups.setdefault(place, []).append(_described(field))
    groups["All commands"] = [
        _entry("flagfile=FILE", "Reads flags from a file, one a line."),
        _entry("help", "This page."),
    ]
    parts = [f"{name}:\n" + "\n".join(g) for name, g in groups.items() if g]
    return "\n\n".join([about.strip(), *parts])


def _described(field: dataclasses.Field) -> str:
    text = field.metadata["help"]
    text = text[0].upper() + text[1:]
    if not text.endswith((".", ")")):
        text += "."
    default = _shown(field.default)
    if field.type is bool:
        return _entry(f"[no]{field.name}", f"{text} Default: {default}.")
    if choices := field.metadata["choices"]:
        text += f" One of: {', '.join(choices)}."
    if field.default not in ("", (), None):
        text += f" Default: {default}."
    return _entry(f"{field.name}=...", text)


def _entry(flag: str, text: str) -> str:
    lines = textwrap.wrap(text, 72, break_on_hyphens=False)
    return "\n".join([f"  --{flag}", *(f"      {line}" for line in lines)])


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(value) if isinstance(value, tuple) else str(value)
