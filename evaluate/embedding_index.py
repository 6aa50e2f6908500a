"""What is in a folder of embeddings: one JSON, and a CSV of the clips."""

import pathlib
from collections.abc import Iterator, Sequence

from data import csv_table
from data.atomic_write import write_json
from data.dataset_info import DatasetInfo
from data.label_table import LABEL_SEPARATOR
from data.user_error import UserError
from evaluate import embedding_job
from evaluate.embedding_store import DAMAGED, EmbeddingStore
from evaluate.representation import Representation

INDEX_FILE = "embeddings.json"
CLIPS_FILE = "clips.csv"


def write(
    folder: pathlib.Path,
    representation: Representation,
    info: DatasetInfo,
    splits: Sequence[str],
    accounts: Sequence[dict],
) -> pathlib.Path:
    """Writes `clips.csv`, then `embeddings.json`, the last file of a job.

    Args:
      folder: of the embeddings.
      representation: what they were made with.
      info: the shards.
      splits: those that were embedded.
      accounts: of `embedding_job.run`.

    Returns:
      The path of `embeddings.json`.
    """
    account_of = {account["shard"]: account for account in accounts}
    files = {
        split: [
            {
                "file": embedding_job.file_name(shard),
                "shard": shard.file,
                **{
                    key: account_of[embedding_job.file_name(shard)][key]
                    for key in ("clips", "windows", "num_bytes")
                },
            }
            for shard in info.splits[split]
            if shard.clips
        ]
        for split in splits
    }
    csv_table.write(folder / CLIPS_FILE, _clip_rows(folder, files))
    index = folder / INDEX_FILE
    model = representation.model
    write_json(
        index,
        {
            "encoder": representation.encoder,
            "encoder_identity": representation.identity,
            "embedding_dim": accounts[0]["embedding_dim"],
            "sample_rate_hz": representation.sample_rate_hz,
            "window_samples": model.window_samples,
            "window_hop_samples": model.window_hop_samples,
            "shards": str(info.folder),
            "class_names": info.class_names,
            "clips": sum(account["clips"] for account in accounts),
            "windows": sum(account["windows"] for account in accounts),
            "splits": files,
        },
    )
    return index


def _clip_rows(
    folder: pathlib.Path, files: dict[str, list[dict]]
) -> Iterator[tuple]:
    yield "clip", "split", "file", "row", "labels"
    for split, of_split in files.items():
        for name in (file["file"] for file in of_split):
            texts = _clip_texts(folder / name)
            for row, (clip_id, labels) in enumerate(texts):
                yield clip_id, split, name, row, labels


def _clip_texts(file: pathlib.Path) -> list[tuple[str, str]]:
    """Id and labels of each clip."""
    try:
        store = EmbeddingStore.load(file)
    except DAMAGED as error:
        raise UserError(
            f"{file} is damaged: delete it and run again, the others are kept"
        ) from error
    return [
        (
            clip_id,
            LABEL_SEPARATOR.join(
                store.class_names[c] for c in of_clip.nonzero()[0]
            ),
        )
        for clip_id, of_clip in zip(store.clip_ids, store.labels, strict=True)
    ]
