"""A resumable job over shards: each becomes a file of embeddings."""

import dataclasses
import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Sequence

from data.jobs import reading_jobs
from data.jobs.shard_jobs import Runner
from data.run.rejects import MAX_BAD_FRACTION
from data.shards.dataset_info import DATASET_FILE, DatasetInfo, Shard
from data.shards.record_index import RecordIndex
from evaluate.embeddings import embedding_store
from evaluate.embeddings.clip_embeddings import embed_shard
from evaluate.embeddings.encoders import Representation, kept_encoder

# Of a shard's start and end, read to notice audio that was written anew.
_PROBED_BYTES = 4096


@dataclasses.dataclass(frozen=True)
class EmbedTask:
    """One shard to embed; see `shard_jobs.Task`.

    Attributes:
      shard: name of the file of embeddings.
      num_items: clips of the shard.
      facts: digest of all else that the embeddings depend on.
      source_file: the shard. Like what follows it is in no fingerprint, so
        that moved shards and runs keep their embeddings.
      encoder: run directory of the encoder; None for a baseline.
      identity: of the encoder.
    """

    shard: str
    num_items: int
    facts: str
    source_file: str = dataclasses.field(repr=False)
    encoder: str | None = dataclasses.field(repr=False)
    identity: str = dataclasses.field(repr=False)


def tasks(
    representation: Representation, info: DatasetInfo, splits: Sequence[str]
) -> list[EmbedTask]:
    """One task for each shard of the splits that has clips.

    Raises:
      UserError: a split is unknown, or together they hold no clip.
    """
    facts = [embedding_store.VERSION, representation.identity]
    common = json.dumps(facts).encode()
    common += (info.folder / DATASET_FILE).read_bytes()
    encoder = representation.encoder and os.path.abspath(representation.encoder)
    return [
        EmbedTask(
            file_name(shard),
            shard.clips,
            _digest(common, info.folder / shard.file, shard),
            shard.file,
            encoder,
            representation.identity,
        )
        for shard in info.shards_of(splits)
        if shard.clips
    ]


def file_name(shard: Shard) -> str:
    """Name of the file with the embeddings of a shard."""
    return f"{pathlib.Path(shard.file).stem}.npz"


def run(
    representation: Representation,
    info: DatasetInfo,
    splits: Sequence[str],
    folder: str | os.PathLike,
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
      runner: as of `shard_jobs.run`, where the representation is an encoder.

    Returns:
      For each shard, in stored order, its account: `shard` (name of the
      file), `num_bytes`, `clips`, `windows`, `embedding_dim` and
      `bad_records` (their numbers in the shard).

    Raises:
      UserError: a split is unknown or empty, too many records cannot be
        used, or an embedding is not finite.
    """
    write_here = functools.partial(_write_shard, representation=representation)
    return reading_jobs.run(
        f"embed {','.join(splits)}, {representation.name}",
        _write_shard if runner else write_here,
        tasks(representation, info, splits),
        info,
        splits,
        pathlib.Path(folder),
        MAX_BAD_FRACTION,
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


def _digest(common: bytes, file: pathlib.Path, shard: Shard) -> str:
    if file.exists():
        with file.open("rb") as stream:
            common += stream.read(_PROBED_BYTES)
            stream.seek(max(0, shard.num_bytes - _PROBED_BYTES))
            common += stream.read()
    return hashlib.sha256(common).hexdigest()
