"""One embedding store per representation and split, kept for all stages."""

import hashlib
import json
import os
import pathlib
import zipfile
from collections.abc import Sequence

from absl import logging

from data.dataset_info import DATASET_FILE, DatasetInfo
from data.progress import Progress
from data.user_error import UserError
from evaluate import embedding_store
from evaluate.embed import embed_dataset
from evaluate.embedding_store import EmbeddingStore
from evaluate.representation import Representation

# Of a shard's start and end, read to notice audio that was written anew.
_PROBED_BYTES = 4096


def embeddings(
    representation: Representation,
    info: DatasetInfo,
    splits: Sequence[str],
) -> EmbeddingStore:
    """The embeddings of some splits, computed when they are not kept yet.

    Each split has its own file, `<representation.cache>/<kind>-<key>.npz`,
    where the key is a hash of the representation's identity, of dataset.json
    and of the ends of the split's shards. So probe, retrieval, search and
    report share files, and changed weights or shards make new ones.

    Raises:
      UserError: see `embed_dataset`.
    """
    info.shards_of(splits)
    stores = [_of_split(representation, info, split) for split in splits]
    return stores[0] if len(stores) == 1 else EmbeddingStore.concatenate(stores)


def labeled_embeddings(
    representation: Representation,
    info: DatasetInfo,
    splits: Sequence[str],
) -> EmbeddingStore:
    """The same, where at least one clip must have a label.

    Raises:
      UserError: also when no clip has one.
    """
    store = embeddings(representation, info, splits)
    if not store.labels.any():
        raise UserError(
            f"no clip of split {','.join(splits)} has a label: write shards "
            "with labels, or name other splits"
        )
    return store


def cache_file(
    representation: Representation, info: DatasetInfo, split: str
) -> pathlib.Path:
    """Where the embeddings of one split are kept."""
    digest = hashlib.sha256()
    facts = [embedding_store.VERSION, representation.identity, split]
    digest.update(json.dumps(facts).encode())
    digest.update((info.folder / DATASET_FILE).read_bytes())
    for shard in info.splits[split]:
        with (info.folder / shard.file).open("rb") as stream:
            digest.update(stream.read(_PROBED_BYTES))
            stream.seek(max(0, shard.num_bytes - _PROBED_BYTES))
            digest.update(stream.read())
    name = f"{representation.kind}-{digest.hexdigest()[:16]}.npz"
    return pathlib.Path(representation.cache) / name


def _of_split(
    representation: Representation, info: DatasetInfo, split: str
) -> EmbeddingStore:
    file = cache_file(representation, info, split)
    if file.exists():
        try:
            return EmbeddingStore.load(file)
        except (OSError, KeyError, ValueError, zipfile.BadZipFile):
            logging.warning("%s is damaged: embedding %s again", file, split)
    clips = sum(shard.clips for shard in info.splits[split])
    progress = Progress(f"embed {split}, {representation.name}", clips, "clips")
    store = embed_dataset(representation, info, [split], progress)
    try:
        store.save(file)
    except PermissionError as error:
        logging.warning(
            "%s: the embeddings are not kept, and computed again next time "
            "(%s)",
            os.fspath(file.parent),
            error.strerror,
        )
    return store
