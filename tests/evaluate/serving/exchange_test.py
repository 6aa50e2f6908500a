"""Models go from one supported set of packages to the other, both ways."""

import pathlib
import subprocess
import sys

import pytest

from tests.evaluate.serving import exchanged_model

ROOT = pathlib.Path(__file__).parents[3]
# Of `make test` and `make test-newest`.
ENVIRONMENTS = (".venv", ".venv-newest")


def _other_python() -> str | None:
    for name in ENVIRONMENTS:
        python = ROOT / name / "bin" / "python"
        if python.exists() and (ROOT / name) != pathlib.Path(sys.prefix):
            return str(python)
    return None


@pytest.fixture
def elsewhere():
    """Runs `exchanged_model` in the other environment."""
    python = _other_python()
    if python is None:
        pytest.skip(
            "only one set of packages is installed "
            "(make test, then make test-newest)"
        )

    def call(*arguments) -> str:
        result = subprocess.run(
            [
                python,
                "-m",
                "tests.evaluate.serving.exchanged_model",
                *arguments,
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr[-3000:]
        return result.stdout

    return call


def test_what_this_set_writes_the_other_loads(elsewhere, tmp_path):
    exchanged_model.write(tmp_path / "model")
    assert float(elsewhere("check", str(tmp_path / "model"))) < 1e-5


def test_what_the_other_set_writes_this_one_loads(elsewhere, tmp_path):
    elsewhere("write", str(tmp_path / "model"))
    assert exchanged_model.check(tmp_path / "model") < 1e-5
