"""The commands of the README and `make demo`, as a user runs them, tiny."""

import csv
import dataclasses
import html
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from data.ingest.ingest_config import IngestConfig
from evaluate.measures.comparison_config import ProbeConfig, RetrievalConfig
from tests import ROOT, script_process
from tests.readme_commands import commands, config_of, run_script, section
from tests.train.small_shards import noise_clips, write_shards
from train.contrastive.contrastive_config import ContrastiveConfig
from train.separation.separate_config import SeparateConfig
from train.separation.separation_config import SeparationConfig

# What makes each command tiny; the rest of it is as in the README.
TINY = {
    "data/write_shards.py": ["--workers=1"],
    "train/train_separation.py": [
        "--basis=stft",
        "--bottleneck=4",
        "--conv_channels=4",
        "--num_dilations=2",
        "--num_repeats=1",
        "--batch_size=2",
        "--crop_seconds=0.5",
        "--steps=3",
        "--keep_steps=N=0,F=1,S1=2,S2=3",
    ],
    "train/pretrain_contrastive.py": [
        "--width=0.0625",
        "--batch_size=4",
        "--clip_seconds=1.5",
        "--steps=2",
        "--warmup_steps=0",
    ],
    "data/inspect_shards.py": ["--workers=1"],
}
# Of the runs that a report shows.
CONFIG_OF = {
    "train/train_separation.py": SeparationConfig,
    "train/pretrain_contrastive.py": ContrastiveConfig,
    "evaluate/probe.py": ProbeConfig,
    "evaluate/retrieval.py": RetrievalConfig,
}
# `make test` passes its own settings on to the make of a test.
ENVIRONMENT = {
    k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))
}
HOSTILE = 'it\'s a "quoted" <script>alert(1) ünï 名前.wav'


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A folder with recordings/ and labels.csv, as the README names them."""
    folder = tmp_path_factory.mktemp("user")
    rng = np.random.default_rng(0)
    rows = [("filename", "labels")]
    for number in range(16):
        name = HOSTILE if number == 0 else f"sound {number}.wav"
        time = np.arange(24000) / 16000
        tone = np.sin(2 * np.pi * (300 + 1500 * (number % 2)) * time)
        audio = 0.3 * tone + rng.normal(0, 0.05, time.shape)
        (folder / "recordings").mkdir(exist_ok=True)
        soundfile.write(folder / "recordings" / name, audio, 16000)
        label = "high;any" if number % 2 else "low <b>"
        rows.append((name, label))
    (folder / "recordings" / "broken.mp3").write_bytes(b"no sound")
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    (folder / "train").symlink_to(ROOT / "train")  # Its flagfiles.
    (folder / "my sound.wav").write_bytes(
        (folder / "recordings" / "sound 1.wav").read_bytes()
    )
    return folder


@pytest.fixture(scope="module")
def printed(recordings):
    """What each script says, of the README's path for one's own audio."""
    said = {}
    for command in commands("Your own recordings"):
        tiny = TINY.get(command[1], [])
        said[command[1]] = run_script(command, recordings, *tiny)
    return said


def test_readme_path_for_own_audio_runs_line_by_line(recordings, printed):
    assert len(printed) == 11
    rejects = (recordings / "runs/mine/shards/rejects.csv").read_text()
    assert "broken.mp3" in rejects and rejects.count("\n") == 2
    page = (recordings / "runs/mine/report.html").read_text()
    assert "<script>alert" not in page
    assert "low &lt;b&gt;" in page and "low <b>" not in page
    # The query is a copy of a clip: that one is nearest.
    nearest = printed["evaluate/search.py"]
    assert nearest.index("sound 1.wav") < nearest.index("sound 3.wav")
    assert (recordings / "runs/mine/saved_model/1/saved_model.pb").exists()
    for stage in ("probe", "retrieval"):
        rows = printed[f"evaluate/{stage}.py"]
        for name in ("pretrain", "untrained", "log_mel_statistics"):
            assert re.search(rf"^{name} .*\d\.\d", rows, re.MULTILINE)

    [code] = re.findall(
        r"```python\n(.*?)```", section("Your own recordings"), re.DOTALL
    )
    code += "\nassert embedding.shape == (1, 128)"
    code = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{code}"
    (recordings / "five_lines.py").write_text(code)
    five_lines = [str(recordings / "five_lines.py")]
    assert script_process.run(five_lines, recordings).returncode == 0


@pytest.mark.long
@pytest.mark.usefixtures("printed")
def test_readme_pretraining_goes_on_watched(recordings):
    script = "train/pretrain_contrastive.py"
    [watched] = [
        c for c in commands("While it trains", "train") if c[1] == script
    ]
    three = [*TINY[script], "--steps=3"]
    small = ["--probe_every=3", "--keep_steps=early=2"]
    run_script(watched, recordings, *three, *small)
    probes = (recordings / "runs/mine/pretrain/probe.csv").read_text()
    assert [row.split(",")[0] for row in probes.splitlines()] == ["step", "3"]


@pytest.mark.long
@pytest.mark.usefixtures("printed")
def test_commands_that_the_report_shows_are_understood(
    recordings, printed, monkeypatch
):
    """Each run's own command, its quotes kept."""
    monkeypatch.chdir(recordings)
    page = pathlib.Path("runs/mine/report.html").read_text()
    shown = re.findall(r'aria-label="Command">(.*?)</pre>', page)
    outputs = []
    for command in map(html.unescape, shown):
        python, script, *flags = shlex.split(command)
        assert python == "python"
        config_class = CONFIG_OF[str(pathlib.Path(script).relative_to(ROOT))]
        outputs.append(config_of(config_class, flags).output)
    names = ("probe", "retrieval", "pretrain", "separation")
    assert outputs == [f"runs/mine/{name}" for name in names]


def test_readme_commands_for_several_devices(recordings, monkeypatch):
    """All GPUs of a machine, and a cluster of one."""
    task = {"cluster": {"worker": ["127.0.0.1:0"]}}
    task["task"] = {"type": "worker", "index": 0}
    monkeypatch.setenv("TF_CONFIG", json.dumps(task))
    for command in commands("Several devices", "train")[:2]:
        output = f"--output=runs/{command[2].split('=')[1]}"
        shards = "--shards=runs/mine/separated"
        tiny = TINY["train/pretrain_contrastive.py"]
        run_script(command, recordings, *tiny, shards, output)
        model = recordings / output.split("=")[1] / "embedding_model.keras"
        assert model.exists()


def _make(target: str, folder: pathlib.Path, *more: str) -> str:
    venv = pathlib.Path(sys.executable).parents[1]
    command = ["make", target, f"RUN={folder}", f"VENV={venv}", *more]
    # The packages are here, or this test would not run.
    version = ".".join(map(str, sys.version_info[:2]))
    command += ["-o", f"{venv}/installed-{version}"]
    for name, script in (
        ("SEPARATION", "train/train_separation.py"),
        ("PRETRAIN", "train/pretrain_contrastive.py"),
    ):
        # The commands of the README show examples.
        tiny = [*TINY[script], "--examples_every=0", "--notensorboard"]
        command.append(f"{name}_FLAGS={' '.join(tiny)}")
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, f"{command}\n{result.stderr[-3000:]}"
    return result.stdout


def _python_commands(shown: str) -> list[list[str]]:
    """Script and flags of each command that is shown."""
    lines = shown.replace("\\\n", " ").splitlines()
    commands = [shlex.split(line) or [""] for line in lines]
    return [c[1:] for c in commands if c[0].endswith("bin/python")]


def _files(folder: pathlib.Path) -> dict[str, int]:
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mtime_ns
        for name in ("shards", "separation", "separated", "pretrain")
        for path in (folder / name).rglob("*")
        if path.is_file() and path.name not in ("config.json", ".lock")
    }


@pytest.mark.long
def test_make_demo_runs_its_stages_and_then_only_what_is_missing(tmp_path):
    few = "INGEST_FLAGS=--num_clips=32 --scene_seconds=1.5 --workers=1"
    folder = tmp_path / "demo"
    out = _make("demo", folder, few)
    for number in range(1, 10):
        assert f"== {number} of 9" in out
    assert (folder / "report.html").exists()
    made = _files(folder)
    _make("demo", folder, few)
    assert _files(folder) == made


# What `make demo-train` runs, in its order, and the flags of each.
TRAINS = {
    "train/step_time.py": ContrastiveConfig,
    "data/write_shards.py": IngestConfig,
    "train/train_separation.py": SeparationConfig,
    "train/separate_shards.py": SeparateConfig,
    "train/pretrain_contrastive.py": ContrastiveConfig,
}


def test_make_demo_trains_as_the_readme_does(tmp_path, monkeypatch):
    """By the scripts that run line by line above, on synthetic scenes."""
    monkeypatch.chdir(ROOT)
    shown = _make("demo-train", tmp_path, "--dry-run")
    for number in range(1, 5):
        assert f"== {number} of 9" in shown
    configs = {
        script: config_of(TRAINS[script], flags)
        for script, *flags in _python_commands(shown)
    }
    assert [*configs] == [*TRAINS]
    _, ingest, separation, separate, pretraining = configs.values()
    assert ingest.source == "synthetic"
    # Each takes what the one before leaves.
    assert separation.shards == separate.shards == ingest.output
    assert separate.separator == separation.output
    assert pretraining.shards == separate.output
    assert set(pretraining.processors) <= set(separate.processors)
    assert all(config.remake for config in (ingest, separation, separate))

    # How long pretraining takes is not asked once it is done.
    (tmp_path / "pretrain").mkdir()
    (tmp_path / "pretrain" / "embedding_model.keras").touch()
    shown = _make("demo-train", tmp_path, "--dry-run")
    scripts = [script for script, *_ in _python_commands(shown)]
    assert scripts == [*TRAINS][1:]


def test_make_demo_evaluates_as_the_readme_does(tmp_path):
    """By the commands that run line by line above."""
    shown = _make("demo-evaluate", tmp_path, "--dry-run")
    for number in range(5, 10):
        assert f"== {number} of 9" in shown
    assert f"report: {tmp_path}/report.html" in shown

    def without_query(command):
        return [x for x in command if not x.startswith("--query=")]

    demo = shown.replace(str(tmp_path), "runs/mine").replace(" --remake", "")
    scripts = ("probe", "retrieval", "search", "export_saved_model", "report")
    assert [*map(without_query, _python_commands(demo))] == [
        without_query(command[1:])
        for command in commands("Your own recordings")
        if command[1] in [f"evaluate/{name}.py" for name in scripts]
    ]
    assert f"--query={tmp_path}/shards/query.wav" in shown.replace('"', "")


def test_make_demo_leaves_out_what_needs_labels(tmp_path):
    """As the shards tell, which are there by then."""
    info = write_shards(tmp_path / "shards", noise_clips(2, 500))
    note = "left out: the recordings have no labels"
    needing = ("evaluate/probe.py", "evaluate/retrieval.py")
    needing += ("--probe=", "--retrieval=")
    shown = _make("demo", tmp_path, "--dry-run")
    assert all(part in shown for part in needing) and note not in shown
    dataclasses.replace(info, class_names=()).save()
    shown = _make("demo", tmp_path, "--dry-run")
    assert not any(part in shown for part in needing)
    assert shown.count(note) == 2 and "evaluate/report.py" in shown


@pytest.mark.long
def test_make_demo_on_unlabeled_recordings(recordings, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for number in range(1, 9):
        name = f"sound {number}.wav"
        source = recordings / "recordings" / name
        (folder / name).write_bytes(source.read_bytes())
    out = _make("demo", tmp_path / "run", f"AUDIO={folder}")
    assert out.count("left out: the recordings have no labels") == 2
    assert (tmp_path / "run" / "report.html").exists()
    assert not (tmp_path / "run" / "probe").exists()


def test_make_demo_tells_a_wrong_python_in_one_line(tmp_path):
    result = subprocess.run(
        ["make", "demo", f"VENV={tmp_path}/venv", "PYTHON=/bin/false"],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert result.returncode != 0
    told = [line for line in result.stderr.splitlines() if "error:" in line]
    assert len(told) == 1 and "Python 3.11, 3.12 or 3.13 is needed" in told[0]
