"""Measures encoders, and the baselines beside them, alike."""

from data.run import run_directory
from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings.baselines import make_baselines
from evaluate.embeddings.clip_embeddings import check_sample_rate
from evaluate.embeddings.embedding_cache import labeled_embeddings
from evaluate.embeddings.encoders import load_encoders
from evaluate.embeddings.representation import Representation
from evaluate.measures import probe_config, results, retrieval_config
from evaluate.measures.probe_classifier import score_clips, train_classifier
from evaluate.measures.probe_config import ProbeConfig
from evaluate.measures.query_by_example import has_pairs, query_by_example
from evaluate.measures.retrieval_config import RetrievalConfig
from models.metrics.average_precision import average_precision
from models.metrics.roc import area_under_roc


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
    rows = _load(config, info)
    for splits in (config.train_splits, config.eval_splits):
        labeled_embeddings(rows[0], info, splits)
    folder = run_directory.start(config.output, probe_config.STAGE, config)
    records = []
    for row in rows:
        train = labeled_embeddings(row, info, config.train_splits)
        held_out = labeled_embeddings(row, info, config.eval_splits)
        scores = score_clips(train_classifier(train, config), held_out)
        records.append(
            results.result(
                row,
                info.class_names,
                held_out.labels.sum(axis=0),
                average_precision(held_out.labels, scores),
                area_under_roc(held_out.labels, scores),
            )
        )
    results.write_metrics(
        folder,
        probe_config.STAGE,
        str(info.folder),
        {
            "train_splits": config.train_splits,
            "eval_splits": config.eval_splits,
        },
        config.seed,
        records,
    )
    return records


def retrieval(config: RetrievalConfig, info: DatasetInfo) -> list[dict]:
    """Measures by query by example, and writes metrics.json.

    Args, returns and raises as `probe`; also where no class makes a pair.
    """
    rows = _load(config, info)
    labels = labeled_embeddings(rows[0], info, config.splits).labels
    if not has_pairs(labels).any():
        raise UserError(
            "no class has 2 clips with it and one without in split "
            + ",".join(config.splits)
        )
    folder = run_directory.start(config.output, retrieval_config.STAGE, config)
    records = []
    for row in rows:
        store = labeled_embeddings(row, info, config.splits)
        ap = query_by_example(
            store.clips,
            store.labels,
            config.positives,
            config.negatives,
            config.seed,
        )
        clips = store.labels.sum(axis=0)
        records.append(results.result(row, info.class_names, clips, ap))
    results.write_metrics(
        folder,
        retrieval_config.STAGE,
        str(info.folder),
        {"eval_splits": config.splits},
        config.seed,
        records,
    )
    return records


def _load(
    config: ProbeConfig | RetrievalConfig, info: DatasetInfo
) -> list[Representation]:
    """Encoders and baselines, before a run directory is made."""
    encoders = load_encoders(config.encoder)
    rows = encoders + make_baselines(config.baselines, encoders, config.seed)
    for row in rows:
        check_sample_rate(row, info)
    return rows
