"""Runs an entry point of evaluate/ as a user does."""

import pathlib
import subprocess
import sys

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


def assert_user_error(done: subprocess.CompletedProcess, message: str) -> None:
    """One line that holds `message`, exit code 2, nothing else."""
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert message in done.stderr
    assert done.stdout == ""
