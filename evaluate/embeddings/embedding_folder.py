"""A folder of embeddings: a file a shard, a CSV of the clips, and an index."""

import pathlib
from collections.abc import Iterator, Sequence

from data.jobs.shard_jobs import Runner
from data.run import csv_table, run_directory
from data.run.atomic_write import write_json
from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo
from data.sources.label_table import LABEL_SEPARATOR
from evaluate.embeddings import embedding_job
from evaluate.embeddings.clip_embeddings import check_sample_rate
from evaluate.embeddings.embed_config import STAGE, EmbedConfig
from evaluate.embeddings.embedding_store import DAMAGED, EmbeddingStore
from evaluate.embeddings.encoders import load_encoders

INDEX_FILE = "embeddings.json"
CLIPS_FILE = "clips.csv"


def make(
    config: EmbedConfig,
    info: DatasetInfo,
    splits: Sequence[str],
    runner: Runner | None,
) -> list[dict]:
    """Embeds shards; writes `clips.csv`, and last of all `embeddings.json`.

    Args:
      config: names the encoder and the folder.
      info: the dataset.
      splits: those of its splits to embed.
      runner: see `embedding_job.run`.

    Returns:
      The account of each shard, see `embedding_job.run`.

    Raises:
      UserError: the encoder or the folder cannot be used, or see
        `embedding_job.run`.
    """
    [encoder] = load_encoders([config.encoder])
    # Told before a run directory is made: the flags can still be changed.
    check_sample_rate(encoder, info)
    folder = run_directory.start(config.output, STAGE, config)
    accounts = embedding_job.run(encoder, info, splits, folder, runner)
    files = _files(info, splits, accounts)
    csv_table.write(folder / CLIPS_FILE, _clip_rows(folder, files))
    write_json(
        folder / INDEX_FILE,
        {
            "encoder": encoder.encoder,
            "encoder_identity": encoder.identity,
            "embedding_dim": accounts[0]["embedding_dim"],
            "sample_rate_hz": encoder.sample_rate_hz,
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


def _files(
    info: DatasetInfo, splits: Sequence[str], accounts: Sequence[dict]
) -> dict[str, list[dict]]:
    """What is told of the files of each split."""
    account_of = {account["shard"]: account for account in accounts}
    return {
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


def _clip_rows(
    folder: pathlib.Path, files: dict[str, list[dict]]
) -> Iterator[tuple]:
    yield "clip", "split", "file", "row", "labels"
    for split, of_split in files.items():
        for name in (file["file"] for file in of_split):
            store = _load(folder / name)
            clips = zip(store.clip_ids, store.labels, strict=True)
            for row, (clip_id, labels) in enumerate(clips):
                names = (store.class_names[c] for c in labels.nonzero()[0])
                yield clip_id, split, name, row, LABEL_SEPARATOR.join(names)


def _load(file: pathlib.Path) -> EmbeddingStore:
    try:
        return EmbeddingStore.load(file)
    except DAMAGED as error:
        raise UserError(
            f"{file} is damaged: delete it and run again, the others are kept"
        ) from error
