"""What both measures share: the rows, and the metrics.json they become."""

import pathlib
from collections.abc import Sequence

from data.run import content, run_directory
from data.run.atomic_write import write_json
from data.run.errors import UserError
from data.run.run_directory import METRICS_FILE
from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings import strangers
from evaluate.embeddings.baselines import make_baselines
from evaluate.embeddings.embedding_cache import clip_embeddings
from evaluate.embeddings.encoders import (
    ENCODER,
    Representation,
    load_encoders,
)
from evaluate.measures.comparison_config import ComparisonConfig


def load_rows(
    config: ComparisonConfig,
    info: DatasetInfo,
    labeled: Sequence[Sequence[str]],
) -> list[Representation]:
    """Encoders, baselines and models of others, before a run directory is made.

    Args:
      labeled: lists of splits; in each a clip must have a label.

    Raises:
      UserError: an encoder or a baseline cannot be used, an encoder is for
        another sample rate, or some splits have no label.
    """
    encoders = load_encoders(config.encoder, info)
    rows = [
        *encoders,
        *make_baselines(config.baselines, encoders, config.seed),
        *strangers.load(config.saved_model, config.hear, encoders, info),
    ]
    names = [row.name for row in rows]
    if len(set(names)) < len(names):
        raise UserError(f"two rows have one name: {', '.join(names)}")
    for splits in labeled:
        if not clip_embeddings(rows[0], info, splits).labels.any():
            raise UserError(
                f"no clip of split {','.join(splits)} has a label: write "
                "shards with labels, or name other splits"
            )
    return rows


def start(
    config: ComparisonConfig,
    info: DatasetInfo,
    stage: str,
    rows: Sequence[Representation],
    splits: Sequence[str],
) -> pathlib.Path:
    """The run directory of some rows, measured on some splits.

    Raises:
      UserError: see `run_directory.start`.
    """
    given = (ENCODER, strangers.SAVED_MODEL, strangers.HEAR)
    encoders = [row.identity for row in rows if row.kind in given]
    inputs = {
        "encoder": content.value_sha256(encoders),
        "shards": info.clips_sha256(splits),
    }
    return run_directory.start(config.output, stage, config, inputs)


def write_metrics(
    folder: pathlib.Path,
    config: ComparisonConfig,
    info: DatasetInfo,
    stage: str,
    splits: dict[str, Sequence[str]],
    records: Sequence[dict],
) -> None:
    """Writes metrics.json, last of all.

    Args:
      splits: `train_splits` and `eval_splits`, as far as there are such.
    """
    named = dict.fromkeys(name for group in splits.values() for name in group)
    metrics = {
        "stage": stage,
        "shards": str(info.folder),
        "shards_sha256": info.clips_sha256([*named]),
        **splits,
        "seed": config.seed,
        "results": records,
    }
    write_json(folder / METRICS_FILE, metrics)
