"""Measures encoders, and the baselines beside them, alike."""

from collections.abc import Callable, Sequence

from data.run import content, run_directory
from data.run.atomic_write import write_json
from data.run.errors import UserError
from data.run.run_directory import METRICS_FILE
from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings.baselines import make_baselines
from evaluate.embeddings.embedding_cache import embeddings
from evaluate.embeddings.encoders import (
    ENCODER,
    Representation,
    load_encoders,
)
from evaluate.measures.comparison_config import (
    PROBE,
    RETRIEVAL,
    ProbeConfig,
    RetrievalConfig,
)
from evaluate.measures.probe_classifier import score_clips, train_classifier
from evaluate.measures.query_by_example import has_pairs, query_by_example
from evaluate.measures.results import result
from models.metrics import ranking
from models.metrics.average_precision import precision_area
from models.metrics.roc import roc_area


def probe(config: ProbeConfig, info: DatasetInfo) -> list[dict]:
    """Measures by a shallow classifier, and writes metrics.json.

    Args:
      config: names encoders, baselines, splits and the run directory.
      info: the shards, which have classes and the splits.

    Returns:
      The records of the results, see `results.result`.

    Raises:
      UserError: an encoder, a baseline or the run directory cannot be used, an
        encoder is for another sample rate, or some splits have no label.
    """
    splits = {
        "train_splits": config.train_splits,
        "eval_splits": config.eval_splits,
    }
    rows = _load(config, info, *splits.values())

    def measure(row: Representation) -> dict:
        train = embeddings(row, info, config.train_splits)
        held_out = embeddings(row, info, config.eval_splits)
        scores = score_clips(train_classifier(train, config), held_out)
        clips = held_out.labels.sum(axis=0)
        ap_and_auc = ranking.of_classes(
            held_out.labels, scores, precision_area, roc_area
        )
        return result(row, info.class_names, clips, *ap_and_auc)

    return _measure_all(rows, measure, config, info, PROBE, splits)


def retrieval(config: RetrievalConfig, info: DatasetInfo) -> list[dict]:
    """Measures by query by example, and writes metrics.json.

    Args, returns and raises as `probe`; also where no class makes a pair.
    """
    rows = _load(config, info, config.splits)
    labels = embeddings(rows[0], info, config.splits).labels
    if not has_pairs(labels).any():
        raise UserError(
            "no class has 2 clips with it and one without in split "
            + ",".join(config.splits)
        )

    def measure(row: Representation) -> dict:
        store = embeddings(row, info, config.splits)
        ap = query_by_example(
            store.clips,
            store.labels,
            config.positives,
            config.negatives,
            config.seed,
        )
        return result(row, info.class_names, store.labels.sum(axis=0), ap)

    splits = {"eval_splits": config.splits}
    return _measure_all(rows, measure, config, info, RETRIEVAL, splits)


def _load(
    config: ProbeConfig | RetrievalConfig,
    info: DatasetInfo,
    *labeled: Sequence[str],
) -> list[Representation]:
    """Encoders and baselines, before a run directory is made.

    In each of the lists of splits a clip must have a label.
    """
    encoders = load_encoders(config.encoder, info)
    rows = encoders + make_baselines(config.baselines, encoders, config.seed)
    for splits in labeled:
        if not embeddings(rows[0], info, splits).labels.any():
            raise UserError(
                f"no clip of split {','.join(splits)} has a label: write "
                "shards with labels, or name other splits"
            )
    return rows


def _measure_all(
    rows: Sequence[Representation],
    measure: Callable[[Representation], dict],
    config: ProbeConfig | RetrievalConfig,
    info: DatasetInfo,
    stage: str,
    splits: dict[str, Sequence[str]],
) -> list[dict]:
    named = dict.fromkeys(name for group in splits.values() for name in group)
    shards_sha256 = info.clips_sha256([*named])
    inputs = {
        "encoder": content.value_sha256(
            [row.identity for row in rows if row.kind == ENCODER]
        ),
        "shards": shards_sha256,
    }
    folder = run_directory.start(config.output, stage, config, inputs)
    records = [measure(row) for row in rows]
    metrics = {
        "stage": stage,
        "shards": str(info.folder),
        "shards_sha256": shards_sha256,
        **splits,
    }
    metrics |= {"seed": config.seed, "results": records}
    write_json(folder / METRICS_FILE, metrics)
    return records
