"""The commands of evaluate/README.md about figures, on toy folds."""

from evaluate import probe, retrieval
from evaluate.measures.comparison_config import ProbeConfig, RetrievalConfig
from tests.evaluate.entry_point_runs import call_main
from tests.evaluate.toy_runs import (
    balanced_clips,
    write_toy_run,
    write_toy_shards,
)
from tests.readme_commands import commands, config_of

STAGES = {
    "evaluate/probe.py": (probe, ProbeConfig),
    "evaluate/retrieval.py": (retrieval, RetrievalConfig),
}


def test_figures_of_four_folds(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shards = tmp_path / "runs/esc10/shards"
    write_toy_shards(
        shards, {f"fold{k}": balanced_clips(3) for k in (1, 2, 3, 4)}
    )
    write_toy_run(tmp_path / "runs/esc10/pretrain", shards)
    printed = []
    for _, script, *flags in commands("How figures are measured", "evaluate"):
        stage, config_class = STAGES[script]
        call_main(stage, config_of(config_class, flags))
        printed.append(capsys.readouterr().out)
    measured, compared, retrieved, compared_too = printed
    for row in ("pretrain", "untrained", "log_mel_statistics"):
        assert measured.count(f"\n{row} ") == 2
        assert retrieved.count(f"\n{row} ") == 1
    assert "accuracy" in measured and "chance of mAP" in retrieved
    assert "linear, 1 of labels" in compared
    assert "ranking_mAP" in compared_too
