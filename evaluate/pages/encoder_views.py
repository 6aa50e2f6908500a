"""What the report shows of each encoder: a map, and nearest clips."""

import dataclasses
from collections.abc import Sequence

from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings import embedding_cache
from evaluate.embeddings.encoders import load_encoders
from evaluate.pages import retrieval_examples
from evaluate.pages.embedding_map import EmbeddingMap, embedding_map
from evaluate.pages.report_clips import ClipText
from evaluate.pages.report_config import ReportConfig
from evaluate.pages.retrieval_examples import Neighbor


@dataclasses.dataclass(frozen=True)
class Query:
    """A query and its neighbors, as indices into the clips."""

    clip: int
    neighbors: tuple[Neighbor, ...]


@dataclasses.dataclass(frozen=True)
class EncoderView:
    """One encoder's map and retrieval examples.

    `shares` is how often a neighbor shares a label, found and by chance.
    """

    name: str
    map: EmbeddingMap
    queries: tuple[Query, ...]
    shares: tuple[float, float] | None


def make_views(
    config: ReportConfig,
    info: DatasetInfo,
    texts: Sequence[ClipText],
    map_clips: Sequence[int],
) -> tuple[EncoderView, ...]:
    """Embeds the clips with every encoder, and looks at what comes out.

    Args:
      config: names the encoders, and what is drawn.
      info: the dataset.
      texts: of every clip of the splits, in stored order.
      map_clips: indices of the clips on the maps.

    Raises:
      UserError: an encoder is missing or does not fit the dataset.
    """
    labels = [text.labels for text in texts]
    queries = retrieval_examples.choose_queries(
        labels, config.queries if len(labels) > 1 else 0, config.seed
    )
    views = []
    for encoder in load_encoders(config.encoder):
        store = embedding_cache.embeddings(encoder, info, config.splits)
        # One kept from earlier may have clips that cannot be read any more.
        row_of = {clip_id: row for row, clip_id in enumerate(store.clip_ids)}
        clips = store.clips[[row_of[text.clip_id] for text in texts]]
        found = retrieval_examples.nearest(clips, labels, queries)
        views.append(
            EncoderView(
                encoder.name,
                embedding_map(
                    clips[map_clips],
                    map_clips,
                    [labels[clip] for clip in map_clips],
                    config.seed,
                ),
                tuple(
                    Query(query, tuple(neighbors))
                    for query, neighbors in zip(queries, found, strict=True)
                ),
                retrieval_examples.shared_label_shares(clips, labels),
            )
        )
    return tuple(views)
