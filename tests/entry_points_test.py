"""Entry points by path and by -m, their help, and a user's mistakes."""

import os
import pathlib
import subprocess
import sys

import pytest

from tests import ROOT, script_process
from tests.import_rules_test import ENTRY_POINTS
from tests.train.small_shards import noise_clips, write_shards


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
    assert result.returncode == 0 and not result.stderr
    about, *groups = result.stdout.split("\n\nRequired:\n")
    assert f"python {name} " in about
    [flags] = groups
    assert flags.startswith("  --") and flags.count("\n  --") >= 3
    assert "=''" not in flags and "(required)" not in flags
    assert max(map(len, flags.splitlines())) <= 80


@pytest.mark.parametrize(
    "module", ["data.write_shards", "train.separate_shards", "evaluate.probe"]
)
def test_help_by_module_from_the_root(module):
    result = _run("-m", module, "--help", cwd=ROOT)
    assert result.returncode == 0
    assert f"python {module.replace('.', '/')}.py " in result.stdout


# Arguments, and what the one line names.
MISTAKES = {
    "data/write_shards.py": [
        (["--output=o", "--input=missing"], "missing"),
        (["--output=o", "--input=."], "--input=. has no file"),
        (["--output=o", "--input=.", "--num_clips=3"], "--num_clips does not"),
        (
            ["--output=o", "--source=synthetic", "--min_seconds=1"],
            "--min_seconds does not go with --source=synthetic",
        ),
    ],
    "data/inspect_shards.py": [
        (["--output=p.html", "--shards=missing"], "missing does not exist"),
        (["--output=p", "--shards=."], "--output=p must name a file ending"),
        (["--output=p.html", f"--shards={__file__}"], "_test.py is a file"),
    ],
    "train/train_separation.py": [
        (["--output=o", "--shards=missing"], "missing does not exist"),
        (["--output=o", "--shards=."], "dataset.json"),
        (["--steps=1", "--keep_steps=5"], "--steps=1"),
        (["--weight_decay=0.1"], "--weight_decay=0.1 is not for --optimizer"),
        (["--steps=9", "--warmup_steps=10", "--keep_steps=0"], "above --steps"),
    ],
    "train/import_separator.py": [
        (["--output=o"], "--checkpoint is empty"),
        (["--checkpoint=c"], "--output is empty"),
        (["--output=o", "--checkpoint=c", "--processor=a b"], "a b: use"),
    ],
    "train/import_panns.py": [
        (["--output=o"], "--checkpoint is empty"),
        (["--checkpoint=c"], "--output is empty"),
        (["--output=o", "--checkpoint=c.pth"], "c.pth cannot be read: No such"),
        (["--output=o", "--checkpoint=c", "--window_seconds=0.1"], "window_s"),
    ],
    "train/separate_shards.py": [
        (["--output=o", "--shards=missing"], "missing does not exist"),
    ],
    "train/pretrain_contrastive.py": [
        (["--output=o", "--shards=missing"], "missing does not exist"),
        (["--batch_size=1"], "batch_size"),
        (
            ["--batch_size=6", "--micro_batch_size=4"],
            "--micro_batch_size=4 does not divide --batch_size=6",
        ),
        (["--comparison=both"], "mix_vs_mix|mix_vs_chan|chan_vs_chan"),
    ],
    "train/step_time.py": [(["--batch_size=1"], "batch_size")],
    "evaluate/embed.py": [
        (["--output=o", "--encoder=missing"], "missing does not exist"),
        (["--output=o", f"--encoder={__file__}"], "_test.py is a file"),
        (["--encoder=missing"], "--output is empty"),
        (["--output=o", "--input=missing"], "--input=missing does not exist"),
        (["--output=o", "--encoder=e", f"--input={__file__}"], "e does not ex"),
    ],
    "evaluate/probe.py": [(["--output=o", "--encoder=missing"], "missing")],
    "evaluate/retrieval.py": [(["--output=o", "--encoder=missing"], "missing")],
    "evaluate/search.py": [(["--query=q.wav", "--encoder=missing"], "missing")],
    "evaluate/export_saved_model.py": [
        (["--output=o", "--encoder=."], "config.json"),
    ],
    "evaluate/export_onnx.py": [(["--output=o"], "--encoder is empty and so")],
    "evaluate/report.py": [(["--output=o"], "--encoder")],
}


@pytest.mark.parametrize(
    "name, arguments, told",
    [(name, *case) for name, cases in MISTAKES.items() for case in cases],
)
def test_a_mistake_is_told_in_one_line(name, arguments, told, tmp_path):
    result = script_process.run([ROOT / name, *arguments], tmp_path)
    assert result.returncode == 2
    assert told in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["train/train_separation.py", "train/pretrain_contrastive.py"]
)
def test_processes_that_nothing_describes_are_told(name, tmp_path):
    write_shards(tmp_path / "shards", noise_clips(3, 500))
    flags = ["--shards=shards", "--output=o", "--strategy=multi_worker"]
    result = script_process.run([ROOT / name, *flags], tmp_path)
    assert result.returncode == 2
    assert "multi_worker: neither TF_CONFIG nor Slurm" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    "name", ["train/train_separation.py", "train/pretrain_contrastive.py"]
)
def test_clips_that_are_all_in_eval_are_told_of_before_anything(name, tmp_path):
    write_shards(tmp_path / "shards", noise_clips(3, 500), split="eval")
    flags = ["--shards=shards", "--output=o"]
    result = script_process.run([ROOT / name, *flags], tmp_path)
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert "shards has all of its 3 clips in the split eval" in line
    assert "--splits" in line and not (tmp_path / "o").exists()
