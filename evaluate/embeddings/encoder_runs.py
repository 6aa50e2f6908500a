"""Encoders' run directories, and what can be checked without TensorFlow."""

import pathlib
from collections.abc import Sequence

from data.run import run_directory
from data.run.encoder_files import STAGES, model_file
from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo

# Of `embed.py`, by what it embeds.
EMBED_STAGES = EMBED_RECORDINGS, EMBED_SHARDS = "embed_recordings", "embed"
# In the path of a run: the split that is measured.
FOLD = "{fold}"


def of_folds(runs: Sequence[str], splits: Sequence[str]) -> list[str]:
    """The runs, and in place of one with `FOLD` that of each split."""
    return [
        run.replace(FOLD, split)
        for run in runs
        for split in (splits if FOLD in run else [""])
    ]


def unique_names(runs: Sequence[str]) -> list[str]:
    """Folder names, with as many parents as it takes to tell them apart.

    Raises:
      UserError: a folder is named twice.
    """
    parts = [pathlib.Path(run).resolve().parts for run in runs]
    if len(set(parts)) < len(parts):
        raise UserError("--encoder names a folder twice: " + ",".join(runs))
    depth = 1
    while len({part[-depth:] for part in parts}) < len(parts):
        depth += 1
    return ["/".join(part[-depth:]) for part in parts]


def open_shards(runs: Sequence[str], shards: str) -> DatasetInfo:
    """The named shards; without a name, those of the first run.

    Raises:
      UserError: a run or the shards are missing or unfinished.
    """
    if not runs or not all(runs):
        raise UserError(
            "--encoder is empty: name an output of "
            "train/pretrain_contrastive.py or train/import_panns.py"
        )
    unique_names(runs)
    for run in runs:
        model_file(run)
    if shards:
        return DatasetInfo.load(shards)
    record = run_directory.read(runs[0], *STAGES)
    shards = run_directory.named_path(record, "shards")
    if not shards:
        raise UserError(
            f"{runs[0]} is a run of {record['stage']}, which has no shards of "
            "its own: name some with --shards"
        )
    return DatasetInfo.load(shards)


def encoder_of(folder: str) -> str:
    """Run directory of the encoder that an output of `embed.py` is of.

    Raises:
      UserError: `folder` is no such output.
    """
    record = run_directory.read(folder, *EMBED_STAGES)
    return run_directory.named_path(record, "encoder")


def open_labeled_shards(
    runs: Sequence[str], shards: str, splits: Sequence[str]
) -> DatasetInfo:
    """The same, and checks that they have classes and the splits.

    Raises:
      UserError: also when there is no class, or a split is unknown or empty.
    """
    info = open_shards(runs, shards)
    info.shards_of(splits)
    if not info.class_names:
        raise UserError(
            f"{info.folder} has no labels, so there is nothing to measure "
            "with: write shards with labels"
        )
    return info
