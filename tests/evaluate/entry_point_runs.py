"""Runs an entry point of evaluate/, as a user does or in this process."""

import pathlib
import subprocess
import sys
import types
from unittest import mock

from data.run import flag_fields
from evaluate import export_saved_model
from evaluate.export_saved_model import ExportConfig

FOLDER = pathlib.Path(__file__).parents[2] / "evaluate"


def run_entry_point(name: str, *flags: str) -> subprocess.CompletedProcess:
    """Runs evaluate/<name>.py from another directory."""
    return subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py"), *flags],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=300,
    )


def call_main(entry_point: types.ModuleType, config: object) -> None:
    """Runs it in this process, with a configuration in place of its flags."""
    with mock.patch.object(flag_fields, "read", return_value=config):
        entry_point.main()


def exported(config: ExportConfig) -> pathlib.Path:
    """The SavedModel that evaluate/export_saved_model.py writes."""
    call_main(export_saved_model, config)
    return pathlib.Path(config.output, str(config.version))


def assert_user_error(done: subprocess.CompletedProcess, message: str) -> None:
    """One line that holds `message`, exit code 2, nothing else."""
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert message in done.stderr
    assert done.stdout == ""
