"""Search of a collection by sound."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings.embedding_cache import clip_embeddings
from evaluate.embeddings.encoders import load_encoders
from evaluate.measures.results import format_table, listed
from evaluate.similarity.nearest_neighbors import nearest_neighbors
from models.numerics.valid_waveform import WHY_NOT, is_valid


class FoundClip(NamedTuple):
    """A clip of the collection; `similarity` is a cosine."""

    clip_id: str
    similarity: float
    labels: tuple[str, ...]


def search(
    query: np.ndarray,
    run: str,
    info: DatasetInfo,
    splits: Sequence[str],
    top: int,
) -> list[FoundClip]:
    """The clips whose embeddings are most similar, nearest first.

    Args:
      query: (T,) float32, at the rate of the collection.
      run: run directory of the encoder.
      top: clips wanted.

    Raises:
      UserError: the encoder or the query cannot be used, or see
        `embedding_job.run`.
    """
    if not is_valid(query):
        raise UserError(f"--query {WHY_NOT}")
    [encoder] = load_encoders([run], info)
    store = clip_embeddings(encoder, info, splits)
    embedding = encoder.encode(encoder.cut_windows(query)).mean(axis=0)
    rows, similarities = nearest_neighbors(embedding[None], store.clips, top)
    return [
        FoundClip(
            store.clip_ids[row],
            float(similarity),
            tuple(info.class_names[c] for c in store.labels[row].nonzero()[0]),
        )
        for row, similarity in zip(rows[0], similarities[0], strict=True)
    ]


def table(found: Sequence[FoundClip]) -> str:
    """The clips found, one line each."""
    rows = [
        [str(rank), f"{clip.similarity:.3f}", clip.clip_id, listed(clip.labels)]
        for rank, clip in enumerate(found, start=1)
    ]
    header = ["rank", "cosine", "clip", "labels"]
    return format_table(header, rows, right=("rank", "cosine"))
