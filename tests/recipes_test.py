"""Every flagfile parses, and says what its row of the slides says."""

import pathlib

import pytest

from data.ingest.ingest_config import IngestConfig
from data.run.errors import UserError
from models.embedding_model import FRONTENDS
from models.losses import mixit
from models.views.view_choice import COMPARISONS
from tests import ROOT
from tests.readme_commands import commands, config_of
from train.contrastive import contrastive_config
from train.contrastive.contrastive_config import ContrastiveConfig
from train.separation import separation_config
from train.separation.separate_config import SeparateConfig
from train.separation.separation_config import SeparationConfig

RECIPES = ROOT / "train" / "flagfiles"
S2, S1, F, N = ("S2",), ("S1",), ("F",), ("N",)

# Table and row -> comparison, processors, objective, SpecAugment, d, mAP.
ROWS = {
    "table2/mix_vs_mix": ("mix_vs_mix", (), "similarity", False, 128, ".248"),
    "table2/mix_vs_mix_sa": ("mix_vs_mix", (), "similarity", True, 128, ".265"),
    "table2/mix_vs_chan": ("mix_vs_chan", S2, "similarity", False, 128, ".272"),
    "table2/mix_vs_chan_sa": (
        "mix_vs_chan",
        S2,
        "similarity",
        True,
        128,
        ".282",
    ),
    "table5/d128": ("mix_vs_chan", S2 + F + N, "joint", True, 128, ".310"),
    "table5/triplet": ("mix_vs_mix", (), "triplet", False, 128, ".244"),
    "table5/d1024": ("mix_vs_chan", S2 + F + N, "joint", True, 1024, ".326"),
}
for _row, _processors, _alone, _joint in (
    ("s2", S2, ".282", ".289"),
    ("s1", S1, ".283", ".293"),
    ("f", F, ".280", ".297"),
    ("n", N, ".286", ".301"),
    ("s2_or_f", S2 + F, ".283", "not legible"),
    ("s2_or_n", S2 + N, ".297", ".306"),
    ("s2_or_f_or_n", S2 + F + N, ".285", ".310"),
):
    for _objective, _score in (("similarity", _alone), ("joint", _joint)):
        ROWS[f"table4/{_row}_{_objective}"] = (
            "mix_vs_chan",
            _processors,
            _objective,
            True,
            128,
            _score,
        )


def _parse(config_class, path: pathlib.Path, *more: str):
    return config_of(config_class, [f"--flagfile={path}", *more])


def _config_class(path: pathlib.Path) -> type:
    if path.is_relative_to(ROOT / "data"):
        return IngestConfig
    return SeparationConfig if "separation" in path.stem else ContrastiveConfig


FLAGFILES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.glob("*/flagfiles/**/*.flags")
)


@pytest.mark.parametrize("name", FLAGFILES)
def test_flagfile_parses(name):
    path = ROOT / name
    config = _parse(_config_class(path), path, "--output=out")
    assert config.output == "out"


def test_there_is_a_flagfile_for_every_row():
    found = {
        path.relative_to(RECIPES).with_suffix("").as_posix()
        for path in RECIPES.glob("table*/*.flags")
    }
    assert found == set(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_row_is_at_paper_scale_and_differs_only_as_stated(row):
    comparison, processors, objective, spec_augment, dim, score = ROWS[row]
    path = RECIPES / f"{row}.flags"
    assert _parse(ContrastiveConfig, path) == ContrastiveConfig(
        comparison=comparison,
        processors=processors,
        objective=objective,
        spec_augment=spec_augment,
        embedding_dim=dim,
    )
    header = path.read_text()
    assert score in header
    assert f"--flagfile=train/flagfiles/{row}.flags" in header


def test_defaults_are_those_of_the_paper():
    config = ContrastiveConfig()
    assert (config.width, config.embedding_dim) == (1.0, 128)
    assert (config.comparison, config.spec_augment) == ("mix_vs_chan", True)
    kept = SeparationConfig().processors()
    assert kept == {"N": 0, "F": 500, "S1": 5000, "S2": 1_700_000}
    assert SeparationConfig().num_sources == 2


def test_choices_of_flags_are_those_of_the_models():
    assert contrastive_config.COMPARISONS == COMPARISONS
    assert contrastive_config.FRONTENDS == tuple(FRONTENDS)
    assert separation_config.MIXIT_SEARCHES == mixit.SEARCHES
    assert separation_config.MAX_EXACT_SOURCES == mixit.MAX_EXACT_ESTIMATES


def test_flags_that_do_not_go_together_are_told(tmp_path):
    flagfile = tmp_path / "x.flags"
    flagfile.write_text("--objective=triplet\n--comparison=mix_vs_chan\n")
    with pytest.raises(UserError, match="needs --comparison=mix_vs_mix"):
        _parse(ContrastiveConfig, flagfile)
    flagfile.write_text("--num_sources=17\n")
    with pytest.raises(UserError, match="17: .*--mixit_search=least_squares"):
        _parse(SeparationConfig, flagfile)
    config = _parse(SeparationConfig, flagfile, "--mixit_search=least_squares")
    assert config.num_sources == 17


def test_demo_uses_processors_that_it_keeps():
    kept = _parse(SeparationConfig, RECIPES / "demo_separation.flags")
    used = _parse(ContrastiveConfig, RECIPES / "demo_pretrain.flags")
    assert set(used.processors) <= set(kept.processors())


CONFIG_OF = {
    "train/train_separation.py": SeparationConfig,
    "train/separate_shards.py": SeparateConfig,
    "train/pretrain_contrastive.py": ContrastiveConfig,
}


@pytest.mark.parametrize(
    "title",
    ["At the published sizes", "While it trains", "Several devices"],
)
def test_readme_commands_for_training_are_understood(title, monkeypatch):
    monkeypatch.chdir(ROOT)
    found = [c for c in commands(title, "train") if c[1].startswith("train/")]
    assert found
    for _, script, *arguments in found:
        config_of(CONFIG_OF[script], arguments)
