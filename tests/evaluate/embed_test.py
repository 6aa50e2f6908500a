import csv
import hashlib
import json
import signal
from unittest import mock

import numpy as np
import pytest

from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo
from evaluate import embed
from evaluate.embeddings import embedding_job
from evaluate.embeddings.embed_config import EmbedConfig
from evaluate.embeddings.embedding_cache import embeddings
from evaluate.embeddings.encoders import load_encoders
from tests import ROOT, script_process
from tests.data.write_shards_test import contents
from tests.evaluate.entry_point_runs import call_main
from tests.evaluate.toy_runs import write_toy_run, write_toy_shards

CLIPS = {
    "train": [(0.5, (0,)), (1.5, (1, 2)), (0.7, ()), (2.0, (2,)), (0.9, (1,))],
    "eval": [(1.0, (2,)), (0.6, (0,)), (1.7, (0,))],
}
NAMES = ("hum", 'h"i,s<s> ñ', "tick")


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embed")
    write_toy_shards(
        folder / "shards", CLIPS, class_names=NAMES, clips_per_shard=2
    )
    write_toy_run(folder / "run", folder / "shards")
    call_main(embed, config(folder, "whole"))
    return folder


def config(folder, output, **changes):
    return EmbedConfig(
        encoder=str(folder / "run"), output=str(folder / output), **changes
    )


def test_index_names_encoder_shards_and_sizes(toy):
    index = json.loads((toy / "whole" / "embeddings.json").read_text("utf-8"))
    splits = index.pop("splits")
    model = (toy / "run" / "embedding_model.keras").read_bytes()
    info = DatasetInfo.load(toy / "shards")
    assert index == {
        "encoder": str(toy / "run"),
        "encoder_identity": hashlib.sha256(model).hexdigest(),
        "embedding_dim": 11,
        "sample_rate_hz": 16000,
        "window_samples": 400 + 95 * 160,
        "window_hop_samples": 48 * 160,
        "shards": str(toy / "shards"),
        "shards_sha256": info.clips_sha256(["eval", "train"]),
        "class_names": list(NAMES),
        "clips": 8,
        # 2 s are 4 windows, 1.7 and 1.5 s are 3, 1 s is 2, the others 1.
        "windows": 4 + 3 + 3 + 2 + 4 * 1,
    }
    assert list(splits) == ["eval", "train"]
    assert [f["clips"] for f in splits["eval"]] == [2, 1]
    assert [f["windows"] for f in splits["train"]] == [4, 5, 1]
    for file in splits["eval"] + splits["train"]:
        size = (toy / "whole" / file["file"]).stat().st_size
        assert file["num_bytes"] == size
        assert (toy / "shards" / file["shard"]).exists()


def test_every_clip_is_found_by_file_and_row(toy):
    info = DatasetInfo.load(toy / "shards")
    [encoder] = load_encoders([str(toy / "run")])
    wanted = embeddings(encoder, info, ["eval", "train"])
    with (toy / "whole" / "clips.csv").open(newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    assert [row["clip"] for row in rows] == list(wanted.clip_ids)
    for number, row in enumerate(rows):
        assert row["clip"].split("/")[0] == row["split"]
        names = [NAMES[c] for c in wanted.labels[number].nonzero()[0]]
        assert row["labels"] == ";".join(names)
        with np.load(toy / "whole" / row["file"], allow_pickle=False) as arrays:
            np.testing.assert_array_equal(
                arrays["clips"][int(row["row"])], wanted.clips[number]
            )


KILLED = f"""
import os, runpy, signal, sys

sys.path[0] = {str(ROOT)!r}
from evaluate.embeddings.embedding_store import EmbeddingStore

save = EmbeddingStore.save

def save_or_die(store, path):
    save(store, path)
    if store.clip_ids[0] == "train/2":
        os.truncate(path, 100)
        os.kill(os.getpid(), signal.SIGKILL)

EmbeddingStore.save = save_or_die
runpy.run_path("evaluate/embed.py", run_name="__main__")
"""


def test_killed_and_rerun_equals_uninterrupted(toy, tmp_path, monkeypatch):
    (tmp_path / "killed.py").write_text(KILLED)
    flags = f"--encoder={toy / 'run'}", f"--output={toy / 'killed'}"
    killed = script_process.run([tmp_path / "killed.py", *flags], ROOT)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = {n for n in contents(toy / "killed") if n.endswith(".npz")}
    [half] = {n for n in done if n.startswith(".writing-")}
    assert done - {half} == {"eval.npz", "eval-1.npz", "train.npz"}
    spy = mock.Mock(wraps=embedding_job.embed_shard)
    monkeypatch.setattr(embedding_job, "embed_shard", spy)
    call_main(embed, config(toy, "killed"))
    made = [call.args[1].shards[0].file for call in spy.call_args_list]
    assert made == ["train-1.tfrecord", "train-2.tfrecord"]
    assert contents(toy / "killed") == contents(toy / "whole")


def test_splits_and_other_shards_can_be_named(toy, tmp_path, capsys):
    shards = tmp_path / "shards"
    write_toy_shards(shards, {"a": CLIPS["eval"][:1], "b": [(0.4, ())]})
    output = str(tmp_path / "out")
    call_main(embed, config(toy, output, shards=str(shards), splits=("b",)))
    told = f"1 clips in 1 files, described in {output}/embeddings.json\n"
    assert capsys.readouterr().out == told
    assert "a.npz" not in contents(tmp_path / "out")


def test_mistakes_are_told_before_anything_is_written(toy, tmp_path):
    other = tmp_path / "other"
    write_toy_shards(other, {"eval": [(1.0, ())]}, sample_rate_hz=8000)
    for match, changes in (
        ("no split 'test'", {"splits": ("test",)}),
        ("at 16000 Hz.*has 8000 Hz", {"shards": str(other)}),
        ("does not exist", {"shards": str(tmp_path / "none")}),
    ):
        with pytest.raises(UserError, match=match):
            call_main(embed, config(toy, str(tmp_path / "out"), **changes))
    assert not (tmp_path / "out").exists()
