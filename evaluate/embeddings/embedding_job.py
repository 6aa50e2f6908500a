"""A resumable job over shards: each becomes a file of embeddings."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Sequence

from data.jobs import reading_jobs
from data.jobs.shard_jobs import Runner
from data.run import content
from data.run.rejects import MAX_BAD_FRACTION
from data.shards.dataset_info import DatasetInfo, Shard
from data.shards.record_index import RecordIndex
from evaluate.embeddings import embedding_store
from evaluate.embeddings.clip_embeddings import embed_shard
from evaluate.embeddings.encoders import Representation, kept_encoder


@dataclasses.dataclass(frozen=True)
class EmbedTask:
    """One shard to embed; see `shard_jobs.Task`.

    Attributes:
      shard: name of the file of embeddings.
      num_items: clips of the shard.
      key: digest of all that the embeddings depend on.
      source_file: the shard. Like what follows it is in no fingerprint, so
        that moved shards and runs keep their embeddings.
      encoder: run directory of the encoder; None for a baseline.
      identity: of the encoder.
    """

    shard: str
    num_items: int
    key: str
    source_file: str = dataclasses.field(repr=False)
    encoder: str | None = dataclasses.field(repr=False)
    identity: str = dataclasses.field(repr=False)


def file_name(shard: Shard) -> str:
    """Name of the file with the embeddings of a shard, in a folder of one set.

    In a folder that several sets share, part of the key is added.
    """
    return f"{pathlib.Path(shard.file).stem}.npz"


def _task(
    representation: Representation,
    info: DatasetInfo,
    shard: Shard,
    is_shared: bool,
) -> EmbedTask:
    facts = [embedding_store.VERSION, representation.identity]
    key = content.value_sha256([*facts, info.shard_sha256(shard)])
    name = pathlib.Path(file_name(shard))
    if is_shared:
        name = name.with_stem(f"{name.stem}-{key[:16]}")
    encoder = representation.encoder and os.path.abspath(representation.encoder)
    return EmbedTask(
        str(name),
        shard.clips,
        key,
        shard.file,
        encoder,
        representation.identity,
    )


def run(
    representation: Representation,
    info: DatasetInfo,
    splits: Sequence[str],
    folder: pathlib.Path,
    index_file: str | None = None,
    runner: Runner | None = None,
) -> list[dict]:
    """Writes an `EmbeddingStore` for each shard that has none in `folder`.

    Records that cannot be used are left out and listed in bad_records.csv;
    once they are repaired, their shards are embedded again.

    Args:
      representation: what encodes.
      info: the dataset.
      splits: names of its splits.
      folder: where the files go.
      index_file: as of `shard_jobs.run`. Without one, the folder is shared by
        whatever the representation encodes, and bad_records.csv is in a folder
        inside it.
      runner: as of `shard_jobs.run`, where the representation is an encoder.

    Returns:
      For each shard, in stored order, its account: `shard` (name of the
      file), `num_bytes`, `clips`, `windows`, `embedding_dim` and
      `bad_records` (their numbers in the shard).

    Raises:
      UserError: a split is unknown or empty, too many records cannot be
        used, or an embedding is not finite.
    """
    tasks = [
        _task(representation, info, shard, is_shared=index_file is None)
        for shard in info.shards_of(splits)
        if shard.clips
    ]
    list_folder = folder
    if index_file is None:
        keys = [task.key for task in tasks]
        list_folder = folder / content.value_sha256(keys)[:16]
    write_here = functools.partial(_write_shard, representation=representation)
    return reading_jobs.run(
        f"embed {','.join(splits)}, {representation.name}",
        _write_shard if runner else write_here,
        tasks,
        info,
        splits,
        folder,
        MAX_BAD_FRACTION,
        index_file,
        list_folder,
        flag="",
        runner=runner,
    )


def _write_shard(
    task: EmbedTask,
    index: RecordIndex,
    path: pathlib.Path,
    advance: Callable[[], None],
    representation: Representation | None = None,
) -> dict:
    representation = representation or kept_encoder(task.encoder, task.identity)
    store, failed = embed_shard(representation, index, advance)
    store.save(path)
    return {
        "clips": len(store.clip_ids),
        "windows": len(store.windows),
        "embedding_dim": store.windows.shape[1],
        "bad_records": failed,
    }
