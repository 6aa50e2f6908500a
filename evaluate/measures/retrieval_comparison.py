"""Measures encoders, and the baselines beside them, by query by example."""

import itertools
from collections.abc import Sequence

import numpy as np

from data.run import content
from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings.embedding_cache import clip_embeddings
from evaluate.embeddings.embedding_store import ClipStore
from evaluate.measures import (
    clip_influences,
    comparison,
    results,
    retrieval_figures,
)
from evaluate.measures.clip_influences import ClipInfluences
from evaluate.measures.comparison_config import RETRIEVAL, RetrievalConfig
from evaluate.measures.retrieval_figures import OfFold
from evaluate.measures.rows import Row, load_rows
from evaluate.probing.recording_folds import numbered, recordings_of
from evaluate.similarity import query_by_example
from evaluate.uncertainty import influence, interval


def compare(config: RetrievalConfig, info: DatasetInfo) -> list[dict]:
    """Measures all rows; writes influences.npz, and metrics.json last.

    Args, returns and raises as `probe_comparison.compare`; also raises where
    no class makes a pair.
    """
    rows = load_rows(config, info, config.splits)
    comparison.check_labels(rows[0], info, config.folds)
    for store, [splits] in zip(
        _stores(config, info, rows[0]), config.folds, strict=True
    ):
        if not query_by_example.has_pairs(store.labels).any():
            raise UserError(
                "no class has 2 clips with it and one without in split "
                + ",".join(splits)
            )
    stores = [_stores(config, info, row) for row in rows]
    folder = comparison.start(config, info, RETRIEVAL, rows, config.splits)
    records, kept = [], []
    for row, of_folds in zip(rows, stores, strict=True):
        record, of_clips = _measure(row, of_folds, config)
        records.append(record)
        kept.append(of_clips)
    clip_influences.save(folder, kept)
    splits = {"eval_splits": config.splits}
    comparison.write_metrics(folder, config, info, RETRIEVAL, splits, records)
    return records


def _stores(
    config: RetrievalConfig, info: DatasetInfo, row: Row
) -> list[ClipStore]:
    """The clips of each fold."""
    return [
        clip_embeddings(row.of_split[splits[0]], info, splits)
        for [splits] in config.folds
    ]


def _measure(
    row: Row, stores: Sequence[ClipStore], config: RetrievalConfig
) -> tuple[dict, ClipInfluences]:
    names = [
        recordings_of(store.clip_ids, config.recording_pattern)
        for store in stores
    ]
    folds = [
        retrieval_figures.measure(*of_fold, config)
        for of_fold in zip(stores, names, strict=True)
    ]
    every_name = np.array([*itertools.chain(*names)], np.str_)
    recordings = numbered(every_name)
    of_folds = [fold.figures() for fold in folds]
    # What some fold cannot tell is told of none.
    told = [k for k in of_folds[0] if all(k in of_fold for of_fold in of_folds)]
    figures = {k: influence.joined([f[k] for f in of_folds]) for k in told}
    chances = [fold.chance() for fold in folds]
    facts = {
        "top": config.top,
        results.CHANCE: {
            k: float(np.mean([of_fold[k] for of_fold in chances])) for k in told
        },
    }
    if config.draws > 1:
        maps = [
            float(np.mean([_mean_of_draw(fold, draw) for fold in folds]))
            for draw in range(config.draws)
        ]
        facts["over_draws"] = {
            "mAP": maps,
            "interval": list(interval.of_repetitions(maps)),
        }
    labels = np.concatenate([store.labels for store in stores])
    ends = np.cumsum([len(store.clip_ids) for store in stores])
    places = np.split(recordings, ends[:-1])
    record = results.result(
        row,
        {name: figure.value for name, figure in figures.items()},
        {
            name: interval.of_share(figure, recordings)
            for name, figure in figures.items()
        },
        {
            name: _of_class(number, folds, places)
            | {results.CLIPS: np.count_nonzero(labels[:, number])}
            for number, name in enumerate(stores[0].class_names)
        },
        **facts,
    )
    kept = ClipInfluences(
        np.concatenate([store.clip_ids for store in stores]),
        every_name,
        _digest(stores, config),
        figures,
    )
    return record, kept


def _mean_of_draw(fold: OfFold, draw: int) -> float:
    return float(np.mean([found.value for found in fold.draws[draw].values()]))


def _of_class(
    number: int, folds: Sequence[OfFold], recordings: Sequence[np.ndarray]
) -> dict:
    """Its figures, means over the folds that have them."""
    pairs = [fold.pairs.get(number) for fold in folds]
    having = [k for k, found in enumerate(pairs) if found]
    figures = {results.AP: np.nan}
    if having:
        ap = influence.joined([pairs[k] for k in having])
        figures[results.AP] = ap.value
        figures["AP_interval"] = interval.of_share(
            ap, np.concatenate([recordings[k] for k in having])
        )
    ranked = [f.ranked[number] for f in folds if number in f.ranked]
    if ranked:
        figures["ranking_AP"] = np.mean([one.ap.value for one in ranked])
        figures[results.PRECISION] = np.mean(
            [one.precision.value for one in ranked]
        )
    return figures


def _digest(stores: Sequence[ClipStore], config: RetrievalConfig) -> str:
    """Of labels, and of how clips are drawn."""
    labels = [np.packbits(store.labels).tobytes().hex() for store in stores]
    drawn = [config.draws, config.positives, config.negatives, config.seed]
    return content.value_sha256([*labels, drawn, config.top])
