"""The READMEs' commands for published data and weights, on small copies."""

import pytest

from data.ingest import ingest_job
from data.ingest.ingest_config import IngestConfig
from data.shards.dataset_info import DatasetInfo
from evaluate import probe
from evaluate.measures.comparison_config import ProbeConfig
from models.frontend.panns_log_mel import PANNsLogMel
from tests.data.sound_files import tone, write
from tests.data.sources import audioset_test, esc_test, fsd50k_test
from tests.evaluate.entry_point_runs import call_main
from tests.evaluate.toy_runs import (
    balanced_clips,
    write_toy_run,
    write_toy_shards,
)
from tests.golden.loading import load
from tests.models.cnn14 import panns_recipe
from tests.readme_commands import commands, config_of, run_script
from tests.train.loop.checkpoint_files import (
    random_checkpoint,
    write_checkpoint,
)
from tests.train.published import torch_files
from train import import_separator


def _write_audioset(folder):
    (folder / "class_labels_indices.csv").write_text(audioset_test.CLASSES)
    for number, kind in enumerate(
        ("balanced_train", "unbalanced_train", "eval")
    ):
        video = f"{number}-_{'abcdefgh'}"
        write(folder / f"audioset/audio/Y{video}.wav", tone(10))
        (folder / f"{kind}_segments.csv").write_text(
            audioset_test.HEAD + audioset_test.row(video)
        )


def test_datasets_are_read_as_published(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _write_audioset(tmp_path)
    for name, source in (
        ("FSD50K", fsd50k_test),
        ("ESC-50", esc_test),
    ):
        source.published(tmp_path / name)
        for stub in (tmp_path / name / "in").rglob("*audio/*.[wf]*"):
            write(stub, tone(5))
        (tmp_path / name / "in").rename(tmp_path / "found")
        (tmp_path / name).rmdir()
        (tmp_path / "found").rename(tmp_path / name)
    for _, script, *flags in commands("Datasets as they are published", "data"):
        assert script == "data/write_shards.py"
        ingest_job.run(config_of(IngestConfig, flags))
    clips = {
        name: DatasetInfo.load(tmp_path / "runs" / name / "shards").summary[
            "clips"
        ]
        for name in ("audioset", "fsd50k", "esc")
    }
    assert clips == {
        "audioset": {"eval": 1, "train": 2},
        "fsd50k": {"eval": 1, "train": 1, "val": 1},
        "esc": {"fold1": 2, "fold2": 1, "fold5": 1},
    }


@pytest.fixture
def weights(tmp_path):
    """Small networks in the files that the README names."""
    write_checkpoint(
        tmp_path / "yfcc100m_mixit_model_checkpoint/model.ckpt-7",
        load("separator_learned_checkpoint"),
    )
    write_checkpoint(
        tmp_path
        / "bird_mixit_model_checkpoints/output_sources4/model.ckpt-3223090",
        random_checkpoint(55, 11, 4, 8),
    )
    torch_files.save(
        tmp_path / "Cnn14_16k_mAP=0.438.pth",
        {
            "model": {
                **panns_recipe.state_dict(first_channels=4, num_classes=2),
                **torch_files.front_end_arrays(PANNsLogMel(16000).mel_matrix),
            }
        },
    )
    (tmp_path / "class_labels_indices.csv").write_text(
        'index,mid,display_name\n0,/m/1,"Speech, male"\n1,/m/2,Dog\n'
    )
    return tmp_path


# Script -> its module, and its configuration. The other one runs in a process
# of its own: no other test runs it so to its end.
STAGES = {
    "train/import_separator.py": (
        import_separator,
        import_separator.ImportConfig,
    ),
    "evaluate/probe.py": (probe, ProbeConfig),
}


def test_published_weights_become_runs(weights, monkeypatch, capsys):
    monkeypatch.chdir(weights)
    shards = weights / "shards"
    write_toy_shards(
        shards, {"train": balanced_clips(6), "eval": balanced_clips(6)}
    )
    write_toy_run(weights / "runs/mine/pretrain", shards)
    # The stored checkpoint is a small network of four dilations.
    small = {"yfcc100m": ["--num_dilations=4"]}
    printed = {}
    for command in commands("Published weights", "train"):
        _, script, *flags = command
        more = [x for key, x in small.items() if key in " ".join(flags)]
        output = next(x for x in flags if x.startswith("--output="))
        if script in STAGES:
            stage, config_class = STAGES[script]
            call_main(stage, config_of(config_class, flags + sum(more, [])))
            printed[output] = capsys.readouterr().out
        else:
            printed[output] = run_script(command, weights)
    assert "22050" in printed["--output=runs/birds"]
    assert (weights / "runs/panns/classifier.keras").exists()
    table = printed["--output=runs/mine/probe_beside_panns"]
    for row in ("pretrain", "panns", "untrained", "log_mel_statistics"):
        assert f"\n{row}" in table
