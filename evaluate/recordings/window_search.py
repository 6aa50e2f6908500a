"""Places in recordings that sound like a query."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from data.run.errors import UserError
from evaluate.embeddings.encoders import load_encoders
from evaluate.measures.results import format_table
from evaluate.recordings.window_store import WindowStore
from evaluate.similarity.nearest_neighbors import Collection
from models.numerics.valid_waveform import WHY_NOT, is_valid


class Hit(NamedTuple):
    """A window; `similarity` is a cosine."""

    file: str
    start_s: float
    end_s: float
    similarity: float


class WindowSearch:
    """A store held ready for queries.

    Args:
      store: the windows.
      without_sha256: digest of a recording to pass over, as of the query.
    """

    def __init__(self, store: WindowStore, without_sha256: str | None = None):
        recordings = store.index["recordings"]
        is_kept = np.array(
            [one["sha256"] != without_sha256 for one in recordings], bool
        )
        self._rows = np.flatnonzero(is_kept[store.recording])
        self._store = store
        vectors = store.vectors
        if len(self._rows) < len(vectors):
            vectors = vectors[self._rows]
        self._collection = Collection(vectors)

    def nearest(self, query: np.ndarray, top: int) -> list[Hit]:
        """The windows most like a query, the nearest first.

        Of windows of a recording that overlap, the nearest is told alone.

        Args:
          query: (d,).
          top: hits wanted.
        """
        store, count = self._store, len(self._rows)
        wanted = 4 * top
        while True:
            rows, similarities = self._collection.nearest(
                query[None], min(wanted, count)
            )
            hits, heard = [], {}  # Recording -> (start, end) of its hits.
            for row, similarity in zip(
                self._rows[rows[0]], similarities[0], strict=True
            ):
                recording = int(store.recording[row])
                start, end = store.start_s[row], store.end_s[row]
                others = heard.setdefault(recording, [])
                if any(start < e and s < end for s, e in others):
                    continue
                others.append((start, end))
                name = store.index["recordings"][recording]["name"]
                hits.append(Hit(name, start, end, float(similarity)))
                if len(hits) == top:
                    return hits
            if wanted >= count:
                return hits
            wanted *= 4


def search(
    query: np.ndarray,
    run: str,
    folder: str,
    top: int,
    without_sha256: str | None = None,
) -> list[Hit]:
    """The places of a store that sound most like a query.

    Args:
      query: (T,) float32, at the rate of the encoder.
      run: its run directory.
      folder: the store.
      top, without_sha256: as of `WindowSearch`.

    Raises:
      UserError: the encoder, the store or the query cannot be used, or the
        store is of another encoder.
    """
    if not is_valid(query):
        raise UserError(f"--query {WHY_NOT}")
    [encoder] = load_encoders([run])
    store = WindowStore.load(folder)
    if store.index["encoder_identity"] != encoder.identity:
        raise UserError(
            f"{folder} was made with another encoder than {run} holds: run "
            "embed.py again"
        )
    embedding = encoder.encode(encoder.cut_windows(query)).mean(axis=0)
    return WindowSearch(store, without_sha256).nearest(embedding, top)


def table(found: Sequence[Hit]) -> str:
    """The places found, one line each."""
    rows = [
        [str(rank), f"{hit.similarity:.3f}", hit.file]
        + [f"{second:.2f}" for second in (hit.start_s, hit.end_s)]
        for rank, hit in enumerate(found, start=1)
    ]
    header = ["rank", "cosine", "file", "start", "end"]
    return format_table(header, rows, right=("rank", "cosine", "start", "end"))


def rows(found: Sequence[Hit]) -> Iterator[tuple]:
    """The same for a CSV, with its header."""
    yield "file", "start_seconds", "end_seconds", "rank", "cosine"
    for rank, hit in enumerate(found, start=1):
        yield hit.file, hit.start_s, hit.end_s, rank, hit.similarity
