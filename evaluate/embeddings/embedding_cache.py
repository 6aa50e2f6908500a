"""The embeddings of a representation's splits, kept for all stages."""

import errno
import os
import pathlib
import tempfile
from collections.abc import Sequence
from typing import TypeVar

from absl import logging

from data.run import content
from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings import embedding_job
from evaluate.embeddings.embedding_store import ClipStore, EmbeddingStore
from evaluate.embeddings.encoders import Representation

_Store = TypeVar("_Store", ClipStore, EmbeddingStore)

_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


def embeddings(
    representation: Representation,
    info: DatasetInfo,
    splits: Sequence[str],
) -> EmbeddingStore:
    """The embeddings of some splits, computed where they are not kept yet.

    Each representation has its own folder, see `cache_folder`, with a file for
    each shard, whose name has a digest of the clips and their labels. So probe,
    retrieval, search and report share files, changed weights or shards make
    new ones, and after a kill only the missing shards are embedded.

    Raises:
      UserError: see `embedding_job.run`.
    """
    return _joined(EmbeddingStore, representation, info, splits)


def clip_embeddings(
    representation: Representation,
    info: DatasetInfo,
    splits: Sequence[str],
) -> ClipStore:
    """As `embeddings`, without reading windows."""
    return _joined(ClipStore, representation, info, splits)


def cache_folder(representation: Representation) -> pathlib.Path:
    """Where the embeddings of a representation are kept."""
    key = content.value_sha256(representation.identity)[:16]
    return pathlib.Path(representation.cache) / f"{representation.kind}-{key}"


def _joined(
    store: type[_Store],
    representation: Representation,
    info: DatasetInfo,
    splits: Sequence[str],
) -> _Store:
    info.shards_of(splits)
    stores = []
    for split in splits:
        if any(shard.clips for shard in info.splits[split]):
            stores += _of_split(store, representation, info, split)
    return store.concatenate(stores)


def _of_split(
    store: type[_Store],
    representation: Representation,
    info: DatasetInfo,
    split: str,
) -> list[_Store]:
    folder = cache_folder(representation)
    try:
        return _stores(store, representation, info, split, folder)
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
        logging.warning(
            "%s: the embeddings are not kept, and computed again next time "
            "(%s)",
            os.fspath(folder.parent),
            error.strerror,
        )
    with tempfile.TemporaryDirectory() as folder:
        return _stores(store, representation, info, split, pathlib.Path(folder))


def _stores(
    store: type[_Store],
    representation: Representation,
    info: DatasetInfo,
    split: str,
    folder: pathlib.Path,
) -> list[_Store]:
    accounts = embedding_job.run(representation, info, [split], folder)
    files = [folder / account["shard"] for account in accounts]
    stores = [_load_or_remove(store, file) for file in files]
    if None in stores:
        embedding_job.run(representation, info, [split], folder)
        stores = [store.load(file) for file in files]
    return stores


def _load_or_remove(store: type[_Store], file: pathlib.Path) -> _Store | None:
    try:
        return store.load(file)
    except UserError:
        logging.warning("%s is damaged: embedding that shard again", file)
        file.unlink()
        return None
