"""What both measures share: a run directory, and its metrics.json."""

import pathlib
from collections.abc import Sequence

from data.run import content, run_directory
from data.run.atomic_write import write_json
from data.run.errors import UserError
from data.run.run_directory import METRICS_FILE
from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings import strangers
from evaluate.embeddings.embedding_cache import clip_embeddings
from evaluate.embeddings.encoders import ENCODER
from evaluate.measures.comparison_config import ComparisonConfig
from evaluate.measures.rows import Row


def check_labels(
    row: Row, info: DatasetInfo, folds: Sequence[Sequence[Sequence[str]]]
) -> None:
    """Checks that there is something to train on and to measure.

    Args:
      row: whose embeddings are made first.
      info: the shards.
      folds: of each the splits to train on, if any, and those to measure on.

    Raises:
      UserError: some splits have no label.
    """
    for groups in folds:
        encoder = row.of_split[groups[-1][0]]
        for splits in groups:
            if not clip_embeddings(encoder, info, splits).labels.any():
                raise UserError(
                    f"no clip of split {','.join(splits)} has a label: write "
                    "shards with labels, or name other splits"
                )


def start(
    config: ComparisonConfig,
    info: DatasetInfo,
    stage: str,
    rows: Sequence[Row],
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
