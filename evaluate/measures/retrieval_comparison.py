"""Measures encoders, and the baselines beside them, by query by example."""

from collections.abc import Sequence

import numpy as np

from data.run import content
from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings.embedding_cache import clip_embeddings
from evaluate.embeddings.embedding_store import ClipStore
from evaluate.embeddings.encoders import Representation
from evaluate.measures import clip_influences, comparison, results
from evaluate.measures.clip_influences import ClipInfluences
from evaluate.measures.comparison_config import RETRIEVAL, RetrievalConfig
from evaluate.probing.recording_folds import numbered, recordings_of
from evaluate.similarity import full_ranking, query_by_example
from evaluate.similarity.nearest_neighbors import unit_rows
from evaluate.uncertainty import influence, interval
from evaluate.uncertainty.influence import Influence
from models.metrics.average_precision import chance_average_precision


def compare(config: RetrievalConfig, info: DatasetInfo) -> list[dict]:
    """Measures all rows; writes influences.npz, and metrics.json last.

    Args, returns and raises as `probe_comparison.compare`; also raises where
    no class makes a pair.
    """
    rows = comparison.load_rows(config, info, [config.splits])
    stores = [clip_embeddings(row, info, config.splits) for row in rows]
    if not query_by_example.has_pairs(stores[0].labels).any():
        raise UserError(
            "no class has 2 clips with it and one without in split "
            + ",".join(config.splits)
        )
    folder = comparison.start(config, info, RETRIEVAL, rows, config.splits)
    records, kept = [], []
    for row, store in zip(rows, stores, strict=True):
        record, of_clips = _measure(row, store, config)
        records.append(record)
        kept.append(of_clips)
    clip_influences.save(folder, kept)
    splits = {"eval_splits": config.splits}
    comparison.write_metrics(folder, config, info, RETRIEVAL, splits, records)
    return records


def _measure(
    row: Representation, store: ClipStore, config: RetrievalConfig
) -> tuple[dict, ClipInfluences]:
    names = recordings_of(store.clip_ids, config.recording_pattern)
    recordings = numbered(names)
    # A draw after the other: (draws, classes).
    pairs, chance = [], {}
    for number in range(config.draws):
        of_draw, chance_of_pairs = _pairs(store, config, config.seed + number)
        pairs.append(of_draw)
    per_class_pairs = {
        k: influence.mean([of_draw[k] for of_draw in pairs]) for k in pairs[0]
    }
    ranked = _ranked(store, config, recordings)
    figures = {results.MAP: influence.mean([*per_class_pairs.values()])}
    chance[results.MAP] = chance_of_pairs
    if ranked:
        of_classes = [*ranked.values()]
        figures |= {
            results.RANKING_MAP: influence.mean([r.ap for r in of_classes]),
            results.PRECISION: influence.mean(
                [r.precision for r in of_classes]
            ),
        }
        chance |= {
            results.RANKING_MAP: np.mean([r.chance_ap for r in of_classes]),
            results.PRECISION: np.mean(
                [r.chance_precision for r in of_classes]
            ),
        }
    facts = {
        "top": config.top,
        results.CHANCE: {name: float(value) for name, value in chance.items()},
    }
    maps = [float(np.mean([of.value for of in d.values()])) for d in pairs]
    if config.draws > 1:
        facts["over_draws"] = {
            "mAP": maps,
            "interval": list(interval.of_repetitions(maps)),
        }
    record = results.result(
        row,
        {name: figure.value for name, figure in figures.items()},
        {
            name: interval.of_share(figure, recordings)
            for name, figure in figures.items()
        },
        {
            name: _of_class(store, number, per_class_pairs, ranked, recordings)
            for number, name in enumerate(store.class_names)
        },
        **facts,
    )
    drawn = [config.draws, config.positives, config.negatives, config.seed]
    digest = content.value_sha256(
        [np.packbits(store.labels).tobytes().hex(), drawn, config.top]
    )
    kept = ClipInfluences(
        np.array(store.clip_ids, np.str_),
        np.array(names, np.str_),
        digest,
        figures,
    )
    return record, kept


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
    store: ClipStore, config: RetrievalConfig, recordings: np.ndarray
) -> dict[int, full_ranking.Ranked]:
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


def _of_class(
    store: ClipStore,
    number: int,
    pairs: dict[int, Influence],
    ranked: dict[int, full_ranking.Ranked],
    recordings: Sequence[int],
) -> dict:
    figures = {results.AP: np.nan}
    if number in pairs:
        figures[results.AP] = pairs[number].value
        figures["AP_interval"] = interval.of_share(pairs[number], recordings)
    if number in ranked:
        figures["ranking_AP"] = ranked[number].ap.value
        figures[results.PRECISION] = ranked[number].precision.value
    return figures | {
        results.CLIPS: int(np.count_nonzero(store.labels[:, number]))
    }
