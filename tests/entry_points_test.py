"""Entry points by path and by -m, their help, and a user's mistakes."""

import os
import pathlib
import subprocess
import sys

import pytest

from tests.import_rules_test import ENTRY_POINTS

ROOT = pathlib.Path(__file__).parents[1]


def _run(*command: str, cwd: pathlib.Path) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_help_is_a_page_by_path_from_any_directory(name, tmp_path):
    result = _run(str(ROOT / name), "--help", cwd=tmp_path)
    # absl ends --help with 1.
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert f"python {name} " in result.stdout
    assert result.stdout.count("\n  --") >= 3
    assert "tensorflow" not in result.stderr.lower()


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_help_by_module_from_the_root(name):
    module = name.removesuffix(".py").replace("/", ".")
    result = _run("-m", module, "--help", cwd=ROOT)
    assert result.returncode == 1
    assert f"python {name} " in result.stdout


# Arguments, and what the one line names.
MISTAKES = {
    "data/write_shards.py": [
        (["--output=o", "--input=missing"], "missing"),
        (["--output=o", "--input=."], "--input=. has no .wav"),
    ],
    "train/train_separation.py": [
        (["--output=o", "--shards=missing"], "missing does not exist"),
        (["--output=o", "--shards=."], "dataset.json"),
        (["--steps=1", "--keep_steps=5"], "--steps=1"),
    ],
    "train/separate_shards.py": [
        (["--output=o", "--shards=missing"], "missing does not exist"),
    ],
    "train/pretrain_contrastive.py": [
        (["--output=o", "--shards=missing"], "missing does not exist"),
        (["--batch_size=1"], "batch_size"),
        (["--comparison=both"], "mix_vs_mix|mix_vs_chan|chan_vs_chan"),
        (["--flagfile=missing.flags"], "missing.flags"),
        (["positional"], "positional"),
    ],
    "evaluate/probe.py": [(["--output=o", "--encoder=missing"], "missing")],
    "evaluate/retrieval.py": [(["--output=o", "--encoder=missing"], "missing")],
    "evaluate/search.py": [(["--query=q.wav", "--encoder=missing"], "missing")],
    "evaluate/export_saved_model.py": [
        (["--output=o", "--encoder=."], "config.json"),
    ],
    "evaluate/report.py": [(["--output=o"], "--encoder")],
}


@pytest.mark.parametrize(
    "name, arguments, told",
    [(name, *case) for name, cases in MISTAKES.items() for case in cases],
)
def test_a_mistake_is_told_in_one_line(name, arguments, told, tmp_path):
    result = _run(str(ROOT / name), *arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert told in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_a_flagfile_with_an_unknown_flag_is_told(name, tmp_path):
    (tmp_path / "x.flags").write_text("--no_such_flag=1\n")
    result = _run(str(ROOT / name), "--flagfile=x.flags", cwd=tmp_path)
    assert result.returncode != 0
    assert "no_such_flag" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
