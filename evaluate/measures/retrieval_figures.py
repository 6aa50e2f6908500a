"""Query by example of a fold: figures with what they owe to each clip."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from evaluate.embeddings.embedding_store import ClipStore
from evaluate.measures.comparison_config import RetrievalConfig
from evaluate.measures.results import MAP, PRECISION, RANKING_MAP
from evaluate.probing.recording_folds import numbered
from evaluate.similarity import full_ranking, query_by_example
from evaluate.similarity.full_ranking import Ranked
from evaluate.similarity.nearest_neighbors import unit_rows
from evaluate.uncertainty import influence
from evaluate.uncertainty.influence import Influence
from models.metrics.average_precision import chance_average_precision


@dataclasses.dataclass(frozen=True, eq=False)
class OfFold:
    """The figures of clips that are searched together.

    Attributes:
      draws: of each draw the AP of the pairs of each class, by its number.
      pairs: their means over draws.
      ranked: the full ranking of each class that has one.
      chance_of_pairs: mean over classes.
    """

    draws: Sequence[dict[int, Influence]]
    pairs: dict[int, Influence]
    ranked: dict[int, Ranked]
    chance_of_pairs: float

    def figures(self) -> dict[str, Influence]:
        """Means over classes."""
        found = {MAP: influence.mean([*self.pairs.values()])}
        if self.ranked:
            of_classes = [*self.ranked.values()]
            found |= {
                RANKING_MAP: influence.mean([r.ap for r in of_classes]),
                PRECISION: influence.mean([r.precision for r in of_classes]),
            }
        return found

    def chance(self) -> dict[str, float]:
        """What a ranking at random would give."""
        found = {MAP: self.chance_of_pairs}
        if self.ranked:
            of_classes = [*self.ranked.values()]
            found |= {
                RANKING_MAP: np.mean([r.chance_ap for r in of_classes]),
                PRECISION: np.mean([r.chance_precision for r in of_classes]),
            }
        return found


def measure(
    store: ClipStore, names: Sequence[str], config: RetrievalConfig
) -> OfFold:
    """Measures clips, some of which make pairs.

    Args:
      store: the clips.
      names: recording of each.
      config: says how many clips are drawn, and how often.
    """
    draws = []
    for number in range(config.draws):
        of_draw, chance = _pairs(store, config, config.seed + number)
        draws.append(of_draw)
    pairs = {k: influence.mean([d[k] for d in draws]) for k in draws[0]}
    ranked = _ranked(store, numbered(names), config)
    return OfFold(draws, pairs, ranked, chance)


def _pairs(
    store: ClipStore, config: RetrievalConfig, seed: int
) -> tuple[dict[int, Influence], float]:
    """AP of each class by number, and the mean over classes by chance."""
    found, chances = {}, []
    for drawn in query_by_example.draws(
        store.labels, config.positives, config.negatives, seed
    ):
        value, *of_drawn = query_by_example.pair_influence(
            store.clips[drawn.positives], store.clips[drawn.negatives]
        )
        clips = np.concatenate([drawn.positives, drawn.negatives])
        of_clips = [np.zeros(len(store.clip_ids)) for _ in of_drawn]
        for of_all, of_part in zip(of_clips, of_drawn, strict=True):
            of_all[clips] = of_part
        found[drawn.number] = Influence(value, *of_clips)
        count, others = len(drawn.positives), len(drawn.negatives)
        right = count * (count - 1) // 2
        chances.append(chance_average_precision(right, right + count * others))
    return found, float(np.mean(chances))


def _ranked(
    store: ClipStore, recordings: np.ndarray, config: RetrievalConfig
) -> dict[int, Ranked]:
    """The full ranking of each class that has one, by number.

    Queries are the positives of the first draw.
    """
    units = unit_rows(store.clips)
    found = {}
    for drawn in query_by_example.draws(
        store.labels, config.positives, config.negatives, config.seed
    ):
        has_class = store.labels[:, drawn.number] != 0
        ranked = full_ranking.rank_class(
            units, has_class, recordings, drawn.positives, config.top
        )
        if ranked:
            found[drawn.number] = ranked
    return found
