import json
import shutil

import numpy as np
import pytest

from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo
from evaluate import retrieval
from evaluate.embeddings.embedding_cache import clip_embeddings
from evaluate.embeddings.encoders import load_encoders
from evaluate.measures import clip_influences, paired_runs
from evaluate.measures.comparison_config import RetrievalConfig
from evaluate.similarity.query_by_example import query_by_example
from tests.evaluate.entry_point_runs import call_main
from tests.evaluate.toy_runs import write_toy_run, write_toy_shards

EVAL = [(1.0, (0,))] * 5 + [(1.0, (1,))] * 4 + [(1.0, (2,))]


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("retrieval")
    write_toy_shards(
        folder / "shards",
        {
            "eval": EVAL,
            "one": [(1.0, (0,)), (1.0, (1,))],
            "more": [(1.0, (1,))] * 3 + [(1.0, (2,))] * 4,
        },
    )
    write_toy_run(folder / "run", folder / "shards")
    return folder


def config(toy, output, encoder="run", **changes):
    return RetrievalConfig(
        encoder=(str(toy / encoder),), output=str(toy / output), **changes
    )


def rows_of(toy, output):
    return json.loads((toy / output / "metrics.json").read_text())["results"]


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
        low, high = row["intervals"]["mAP"]
        assert low < row["mAP"] < high or row["mAP"] == 1
        # All clips are drawn each time: nothing is random.
        assert len(set(row["over_draws"]["mAP"])) == 1
        # Of 10 clips: each of the others has a class with 4, or 3, of 9.
        chance = (4 / 9 + 3 / 9) / 2
        assert row["chance"]["precision_at_k"] == pytest.approx(chance)
    assert rows[2]["mAP"] > 0.85 and rows[2]["ranking_mAP"] > 0.85
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["representation", "kind", "mAP"]
    assert lines[5] == "left out, too few clips: tick"
    assert lines[6] == f"metrics: {toy / 'out' / 'metrics.json'}"


def test_a_single_draw_is_the_slides_figure(toy):
    call_main(
        retrieval,
        config(toy, "one", draws=1, positives=3, seed=4, baselines=()),
    )
    rows = rows_of(toy, "one")
    [encoder] = load_encoders([str(toy / "run")])
    store = clip_embeddings(encoder, DatasetInfo.load(toy / "shards"), ["eval"])
    wanted = query_by_example(store.clips, store.labels, 3, 100, 4)
    found = [of["AP"] for of in rows[0]["per_class"].values()]
    assert found[:2] == pytest.approx(wanted[:2], abs=1e-12)
    assert "over_draws" not in rows[0]


def test_splits_with_encoders_of_their_own_are_searched_alone(toy, capsys):
    shutil.copytree(toy / "run", toy / "without_eval")
    write_toy_run(toy / "without_more", toy / "shards", seed=1)
    for output, encoder, splits in (
        ("of_eval", "without_eval", ("eval",)),
        ("of_more", "without_more", ("more",)),
        ("of_both", "without_{fold}", ("eval", "more")),
    ):
        changes = {
            "splits": splits,
            "positives": 3,
            "negatives": 2,
            "baselines": ("log_mel_statistics",),
        }
        call_main(retrieval, config(toy, output, encoder, **changes))
    parts = rows_of(toy, "of_eval"), rows_of(toy, "of_more")
    both = rows_of(toy, "of_both")
    assert [row["name"] for row in both][0] == "without_{fold}"
    for row, *of_parts in zip(both, *parts, strict=True):
        for key in ("mAP", "ranking_mAP", "precision_at_k"):
            mean = np.mean([of_part[key] for of_part in of_parts])
            assert row[key] == pytest.approx(mean)
            low, high = row["intervals"][key]
            assert low <= row[key] <= high
            mean = np.mean([of_part["chance"][key] for of_part in of_parts])
            assert row["chance"][key] == pytest.approx(mean)
        draws = [of_part["over_draws"]["mAP"] for of_part in of_parts]
        assert row["over_draws"]["mAP"] == pytest.approx(np.mean(draws, axis=0))
        hum, hiss, tick = row["per_class"].values()
        of_eval, of_more = (part["per_class"] for part in of_parts)
        assert hum["AP"] == of_eval["hum"]["AP"] and hum["clips"] == 5
        assert tick["AP"] == of_more["tick"]["AP"] and tick["clips"] == 5
        for key in ("AP", "ranking_AP", "precision_at_k"):
            mean = (of_eval["hiss"][key] + of_more["hiss"][key]) / 2
            assert hiss[key] == pytest.approx(mean)
    # What clips have to do with it: half of what they have in their split.
    kept = [
        clip_influences.load(str(toy / name), 0)
        for name in ("of_both", "of_eval", "of_more")
    ]
    for name, figure in kept[0].figures.items():
        for part in ("derivative", "deletion"):
            halves = [getattr(k.figures[name], part) / 2 for k in kept[1:]]
            np.testing.assert_array_equal(
                getattr(figure, part), np.concatenate(halves)
            )
    call_main(
        retrieval,
        RetrievalConfig(
            compare=(f"{toy}/of_both", f"{toy}/of_both:log_mel_statistics")
        ),
    )
    assert "ranking_mAP" in capsys.readouterr().out
    with pytest.raises(UserError, match="no class has 2 clips .* split one"):
        splits = ("eval", "one")
        shutil.copytree(toy / "run", toy / "without_one")
        call_main(retrieval, config(toy, "x", "without_{fold}", splits=splits))


def test_compares_rows_of_finished_runs(toy, capsys):
    call_main(retrieval, config(toy, "pair"))
    pair = str(toy / "pair")
    call_main(retrieval, RetrievalConfig(compare=(pair, pair)))
    assert capsys.readouterr().out.count("identical") == 3
    found = paired_runs.compare_retrievals(pair, f"{pair}:untrained")
    rows = rows_of(toy, "pair")
    for compared in found:
        effect = rows[0][compared.what] - rows[1][compared.what]
        assert compared.effect == pytest.approx(effect)
        low, high = compared.interval
        assert low <= effect <= high
    call_main(retrieval, config(toy, "fewer", positives=2, baselines=()))
    with pytest.raises(UserError, match="of other clips, labels or draws"):
        paired_runs.compare_retrievals(pair, str(toy / "fewer"))


def test_refuses_splits_in_which_no_class_makes_a_pair(toy):
    with pytest.raises(UserError, match="no class has 2 clips .* split one"):
        call_main(retrieval, config(toy, "x", splits=("one",)))
    with pytest.raises(UserError, match="no split 'dev': it has eval, more"):
        call_main(retrieval, config(toy, "x", splits=("dev",)))
    # The flags can be corrected under the same --output.
    assert not (toy / "x").exists()
