import json

import pytest

from data.run.errors import UserError
from evaluate import retrieval
from evaluate.measures.comparison_config import RetrievalConfig
from tests.evaluate.entry_point_runs import call_main
from tests.evaluate.toy_runs import write_toy_run, write_toy_shards

EVAL = [(1.0, (0,))] * 5 + [(1.0, (1,))] * 4 + [(1.0, (2,))]


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("retrieval")
    write_toy_shards(
        folder / "shards", {"eval": EVAL, "one": [(1.0, (0,)), (1.0, (1,))]}
    )
    write_toy_run(folder / "run", folder / "shards")
    return folder


def config(toy, output, **changes):
    return RetrievalConfig(
        encoder=(str(toy / "run"),), output=str(toy / output), **changes
    )


def test_metrics_of_an_encoder_and_baselines(toy, capsys):
    call_main(retrieval, config(toy, "out"))
    value = json.loads((toy / "out" / "metrics.json").read_text())
    assert value["stage"] == "retrieval"
    assert value["eval_splits"] == ["eval"]
    rows = value["results"]
    assert [row["name"] for row in rows] == [
        "run",
        "untrained",
        "log_mel_statistics",
    ]
    for row in rows:
        classes = row["per_class"]
        # One clip with ticks makes no pair.
        assert classes["tick"] == {"AP": None, "clips": 1}
        aps = [classes["hum"]["AP"], classes["hiss"]["AP"]]
        assert row["mAP"] == pytest.approx(sum(aps) / 2)
        assert "AUC" not in row
    assert rows[2]["mAP"] > 0.85
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["representation", "kind", "mAP"]
    assert lines[5] == "left out, too few clips: tick"
    assert lines[6] == f"metrics: {toy / 'out' / 'metrics.json'}"


def test_refuses_splits_in_which_no_class_makes_a_pair(toy):
    with pytest.raises(UserError, match="no class has 2 clips .* split one"):
        call_main(retrieval, config(toy, "x", splits=("one",)))
    with pytest.raises(UserError, match="no split 'dev': it has eval, one"):
        call_main(retrieval, config(toy, "x", splits=("dev",)))
    # The flags can be corrected under the same --output.
    assert not (toy / "x").exists()
