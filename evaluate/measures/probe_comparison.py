"""Measures encoders, and the baselines beside them, by classifiers."""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings.embedding_cache import clip_embeddings
from evaluate.embeddings.embedding_store import ClipStore
from evaluate.embeddings.encoders import Representation
from evaluate.measures import comparison, probe_figures, results
from evaluate.measures.comparison_config import (
    AUTO,
    PROBE,
    SINGLE_LABEL,
    ProbeConfig,
)
from evaluate.measures.probe_figures import OfClass, Part
from evaluate.measures.rows import Row, load_rows
from evaluate.measures.scored_clips import ScoredClips
from evaluate.probing.probe import LINEAR, Probed, probe
from evaluate.probing.recording_folds import numbered, recordings_of
from evaluate.uncertainty import influence, interval
from models.metrics.average_precision import (
    average_precision,
    mean_over_classes,
)
from models.metrics.roc import d_prime


def compare(config: ProbeConfig, info: DatasetInfo) -> list[dict]:
    """Measures all rows; writes scores.npz, and metrics.json last.

    Args:
      config: names encoders, baselines, splits and the run directory.
      info: the shards, which have classes and the splits.

    Returns:
      The records of the results, see `results.result`.

    Raises:
      UserError: an encoder, a baseline or the run directory cannot be used, an
        encoder is for another sample rate, some splits have no label, or some
        clips not one label where the task is so.
    """
    sides = list(zip(*config.folds, strict=True))
    splits = {
        name: sorted({split for group in side for split in group})
        for name, side in zip(
            ("train_splits", "eval_splits"), sides, strict=True
        )
    }
    if not config.cross_validate:
        [splits["train_splits"]], [splits["eval_splits"]] = sides
    rows = load_rows(config, info, splits["eval_splits"])
    comparison.check_labels(rows[0], info, config.folds)
    named = dict.fromkeys(itertools.chain(*splits.values()))
    clips = _clips(config, info, rows[0])
    is_single_label = _is_single_label(config, info, rows[0])
    folder = comparison.start(config, info, PROBE, rows, [*named])
    records, scores = [], []
    for row in rows:
        store_of = functools.cache(
            lambda encoder, split: clip_embeddings(encoder, info, [split])
        )
        for classifier, fraction in itertools.product(
            config.classifier, config.fractions
        ):
            probed = _probed(
                config, row, store_of, is_single_label, classifier, fraction
            )
            scores.append(
                np.concatenate(
                    [np.stack([p.scores for p in of]) for of in probed], axis=1
                )
            )
            facts = {
                "classifier": classifier,
                "label_fraction": fraction,
                "task": SINGLE_LABEL if is_single_label else "multi_label",
                "trained_on_clips": [of[0].clips for of in probed],
                "settings": [[p.settings for p in of] for of in probed],
            }
            records.append(
                _record(row, clips, scores[-1], is_single_label, facts)
            )
    ScoredClips(**clips, scores=scores).save(folder)
    comparison.write_metrics(folder, config, info, PROBE, splits, records)
    return records


def _probed(
    config: ProbeConfig,
    row: Row,
    store_of: Callable[[Representation, str], ClipStore],
    is_single_label: bool,
    classifier: str,
    fraction: float,
) -> list[list[Probed]]:
    """Of each fold, what the classifier of each seed says."""
    # With all clips a linear classifier has nothing that is drawn.
    seeds = 1 if classifier == LINEAR and fraction == 1 else config.seeds
    found = []
    for train_splits, eval_splits in config.folds:
        encoder = row.of_split[eval_splits[0]]
        train, held_out = (
            ClipStore.concatenate([store_of(encoder, s) for s in splits])
            for splits in (train_splits, eval_splits)
        )
        recordings = numbered(
            recordings_of(train.clip_ids, config.recording_pattern)
        )
        found.append(
            [
                probe(
                    classifier,
                    is_single_label,
                    train.clips,
                    train.labels,
                    recordings,
                    held_out.clips,
                    fraction,
                    config.seed + number,
                )
                for number in range(seeds)
            ]
        )
    return found


def _clips(
    config: ProbeConfig, info: DatasetInfo, row: Row
) -> dict[str, np.ndarray]:
    """What `ScoredClips` says of the clips, in the order of the scores."""
    stores = [
        clip_embeddings(row.of_split[splits[0]], info, splits)
        for _, splits in config.folds
    ]
    joined = ClipStore.concatenate(stores)
    counts = [len(store.clip_ids) for store in stores]
    recordings = recordings_of(joined.clip_ids, config.recording_pattern)
    return {
        "clip_ids": np.array(joined.clip_ids, np.str_),
        "recordings": np.array(recordings, np.str_),
        "folds": np.repeat(np.arange(len(stores)), counts),
        "labels": joined.labels,
        "class_names": np.array(joined.class_names, np.str_),
    }


def _is_single_label(config: ProbeConfig, info: DatasetInfo, row: Row) -> bool:
    splits = {s for train, held_out in config.folds for s in train + held_out}
    encoder = row.of_split[config.folds[0][-1][0]]
    labels = clip_embeddings(encoder, info, sorted(splits)).labels
    has_one = labels.sum(axis=1) == 1
    if config.task == SINGLE_LABEL and not has_one.all():
        raise UserError(
            f"--task={SINGLE_LABEL}, but {np.count_nonzero(~has_one)} of "
            f"{len(has_one)} clips have no label, or several"
        )
    return config.task == SINGLE_LABEL or (
        config.task == AUTO and bool(has_one.all())
    )


def _record(
    row: Row,
    clips: dict[str, np.ndarray],
    scores: np.ndarray,
    is_single_label: bool,
    facts: dict,
) -> dict:
    """Figures of scores (seeds, n, C), each with its interval."""
    recordings = numbered(clips["recordings"])
    places = ScoredClips(**clips, scores=[]).parts()
    parts = [Part(clips["labels"][p] != 0, scores[:, p]) for p in places]
    ap, auc = probe_figures.Sum(parts), probe_figures.Sum(parts)
    per_class = {}
    counts = clips["labels"].sum(axis=0)
    for name, count, of_class in zip(
        clips["class_names"].tolist(),
        counts,
        probe_figures.of_classes(parts),
        strict=True,
    ):
        ap.add(of_class.ap)
        auc.add(of_class.auc)
        per_class[name] = _of_class(of_class, places, recordings)
        per_class[name][results.CLIPS] = int(count)
    figures, intervals = {}, {}
    order = np.concatenate(places)
    found = {results.MAP: ap.mean(), results.AUC: auc.mean()}
    if is_single_label:
        found[results.ACCURACY] = probe_figures.accuracy(parts)
    for name, figure in found.items():
        figures[name] = figure.value if figure else np.nan
        if figure:
            intervals[name] = interval.of_share(figure, recordings[order])
    figures[results.D_PRIME] = d_prime(figures[results.AUC])
    if results.AUC in intervals:
        intervals[results.D_PRIME] = tuple(
            d_prime(np.array(intervals[results.AUC]))
        )
    if len(scores) > 1:
        facts = facts | {"over_seeds": _over_seeds(parts)}
    return results.result(row, figures, intervals, per_class, **facts)


def _of_class(
    of_class: OfClass, places: Sequence[np.ndarray], recordings: np.ndarray
) -> dict:
    """AP with its interval, AUC and d-prime of a class, means over folds."""

    def joined(of_folds):
        having = [k for k, found in enumerate(of_folds) if found]
        if not having:
            return None, None
        where = np.concatenate([places[k] for k in having])
        found = influence.joined([of_folds[k] for k in having])
        return found, recordings[where]

    ap, having = joined(of_class.ap)
    auc, _ = joined(of_class.auc)
    area = auc.value if auc else np.nan
    figures = {
        results.AP: ap.value if ap else np.nan,
        results.AUC: area,
        results.D_PRIME: d_prime(area),
    }
    if ap:
        figures["AP_interval"] = interval.of_share(ap, having)
    return figures


def _over_seeds(parts: Sequence[Part]) -> dict:
    """The mAP of each seed, and the 95 % interval of their mean."""
    values = [*_maps(parts)]
    return {
        "mAP": values,
        "interval": list(interval.of_repetitions(values)),
    }


def _maps(parts: Sequence[Part]) -> Iterator[float]:
    for seed in range(len(parts[0].scores)):
        yield float(
            np.mean(
                [
                    mean_over_classes(
                        average_precision(part.labels, part.scores[seed])
                    )
                    for part in parts
                ]
            )
        )
