"""The commands of the READMEs, and how a user runs them."""

import pathlib
import re
import shlex
from collections.abc import Sequence

from absl import flags

from data.run import flag_fields
from tests import ROOT, script_process


def section(title: str, package: str = "") -> str:
    """A section of the front README, or of a package's."""
    readme = (ROOT / package / "README.md").read_text()
    return readme.split(f"## {title}\n")[1].split("\n## ")[0]


def commands(title: str, package: str = "") -> list[list[str]]:
    """The python commands in such a section, line by line."""
    body = section(title, package)
    code = "\n".join(re.findall(r"```sh\n(.*?)```", body, re.DOTALL))
    lines = code.replace("\\\n", " ").splitlines()
    return [shlex.split(x, comments=True) for x in lines if "python " in x]


def config_of(config_class: type, flag_arguments: Sequence[str]):
    """What an entry point with these flags makes of some."""
    values = flags.FlagValues()
    flag_fields.define(config_class, values)
    flags.DEFINE_string("flagfile", "", "", flag_values=values)
    rest = values(["test", *flag_arguments])
    assert rest == ["test"]
    return flag_fields.read(config_class, values)


def run_script(command: list[str], folder: pathlib.Path, *more: str) -> str:
    """Runs `python SCRIPT FLAGS` from a folder; returns what it prints."""
    assert command[0] == "python"
    script = str(ROOT / command[1])
    result = script_process.run([script, *command[2:], *more], folder)
    assert result.returncode == 0, f"{command}\n{result.stderr[-3000:]}"
    assert "Traceback" not in result.stderr
    return result.stdout
