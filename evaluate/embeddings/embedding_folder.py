"""A folder of embeddings: a file a shard, a CSV of the clips, and an index."""

import pathlib
from collections.abc import Iterator, Sequence

from data.jobs.shard_jobs import Runner
from data.run import csv_table
from data.run.atomic_write import write_json
from data.shards.dataset_info import DatasetInfo
from data.sources.label_table import LABEL_SEPARATOR
from evaluate.embeddings import embedding_job
from evaluate.embeddings.embedding_store import EmbeddingStore
from evaluate.embeddings.encoders import Representation

INDEX_FILE = "embeddings.json"
CLIPS_FILE = "clips.csv"
_SIZES = ("clips", "windows", "num_bytes")


def make(
    encoder: Representation,
    info: DatasetInfo,
    splits: Sequence[str],
    folder: pathlib.Path,
    runner: Runner | None,
) -> list[dict]:
    """Embeds shards; writes `clips.csv`, and last of all `embeddings.json`.

    Args, returns and raises as `embedding_job.run`.
    """
    accounts = embedding_job.run(
        encoder, info, splits, folder, INDEX_FILE, runner
    )
    account_of = {account["shard"]: account for account in accounts}
    files = {
        split: [
            {
                "file": (file := embedding_job.file_name(shard)),
                "shard": shard.file,
                **{key: account_of[file][key] for key in _SIZES},
            }
            for shard in info.splits[split]
            if shard.clips
        ]
        for split in splits
    }
    csv_table.write(folder / CLIPS_FILE, _clip_rows(folder, files))
    write_json(
        folder / INDEX_FILE,
        {
            "encoder": encoder.encoder,
            "encoder_identity": encoder.identity,
            "shards_sha256": info.clips_sha256(splits),
            "embedding_dim": accounts[0]["embedding_dim"],
            "sample_rate_hz": encoder.model.sample_rate_hz,
            "window_samples": encoder.model.window_samples,
            "window_hop_samples": encoder.model.window_hop_samples,
            "shards": str(info.folder),
            "class_names": info.class_names,
            "clips": sum(account["clips"] for account in accounts),
            "windows": sum(account["windows"] for account in accounts),
            "splits": files,
        },
    )
    return accounts


def _clip_rows(
    folder: pathlib.Path, files: dict[str, list[dict]]
) -> Iterator[tuple]:
    yield "clip", "split", "file", "row", "labels"
    for split, of_split in files.items():
        for name in (file["file"] for file in of_split):
            store = EmbeddingStore.load(folder / name)
            clips = zip(store.clip_ids, store.labels, strict=True)
            for row, (clip_id, labels) in enumerate(clips):
                names = (store.class_names[c] for c in labels.nonzero()[0])
                yield clip_id, split, name, row, LABEL_SEPARATOR.join(names)
