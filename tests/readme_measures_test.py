"""The commands of evaluate/README.md about figures, on toy folds."""

from evaluate import probe, retrieval
from evaluate.measures.comparison_config import ProbeConfig, RetrievalConfig
from tests import ROOT
from tests.evaluate.entry_point_runs import call_main
from tests.evaluate.toy_runs import (
    balanced_clips,
    write_toy_run,
    write_toy_shards,
)
from tests.readme_commands import commands, config_of
from train.contrastive.contrastive_config import ContrastiveConfig

STAGES = {
    "evaluate/probe.py": (probe, ProbeConfig),
    "evaluate/retrieval.py": (retrieval, RetrievalConfig),
}


def test_figures_of_four_folds(tmp_path, monkeypatch, capsys, caplog):
    monkeypatch.chdir(tmp_path)
    shards = tmp_path / "runs/esc10/shards"
    folds = [f"fold{k}" for k in (1, 2, 3, 4)]
    write_toy_shards(shards, {fold: balanced_clips(6) for fold in folds})
    for fold in folds:
        others = [split for split in folds if split != fold]
        run = tmp_path / f"runs/esc10/without_{fold}"
        write_toy_run(run, shards, splits=others)
    printed = []
    for _, script, *flags in commands("How figures are measured", "evaluate"):
        stage, config_class = STAGES[script]
        # One baseline says as much as two.
        more = [] if "compare" in flags[0] else ["--baselines=untrained"]
        call_main(stage, config_of(config_class, [*flags, *more]))
        printed.append(capsys.readouterr().out)
    measured, compared, retrieved, compared_too = printed
    for row in ("without_{fold}", "untrained"):
        assert measured.count(f"\n{row} ") == 2
        assert retrieved.count(f"\n{row} ") == 1
    assert "accuracy" in measured and "chance of mAP" in retrieved
    assert "linear, 1 of labels" in compared
    assert "ranking_mAP" in compared_too
    assert "was pretrained on" not in caplog.text


def test_encoders_of_folds_are_pretrained_without_them(monkeypatch):
    monkeypatch.chdir(ROOT)
    [[_, script, *flags]] = commands("Results, in small", "evaluate")
    assert script == "train/pretrain_contrastive.py"
    config = config_of(ContrastiveConfig, flags)
    assert config.output.endswith("without_fold1")
    assert config.splits == ("fold2", "fold3", "fold4")
