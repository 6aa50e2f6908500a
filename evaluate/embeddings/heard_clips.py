"""Whether an encoder has heard clips in its pretraining."""

import contextlib
from collections.abc import Iterator

from data.run import run_directory
from data.run.encoder_files import STAGES
from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo


def has_heard(run: str, info: DatasetInfo, split: str) -> bool:
    """Whether the encoder of a run was pretrained on shards of a split.

    Shards are known by the digest of their sound, also where they have been
    separated since. Of shards that are gone nothing is known.

    Args:
      run: run directory of the encoder; those that it started from count too.
      info: shards.
      split: one of theirs.
    """
    return not set(_sounds_of_run(run)).isdisjoint(_sounds(info, [split]))


def _sounds_of_run(run: str) -> Iterator[str]:
    seen = set()
    with contextlib.suppress(UserError):
        # A run that was made again may have started from its own heirs.
        while run and run not in seen:
            seen.add(run)
            record = run_directory.read(run, *STAGES)
            run = run_directory.named_path(record, "initial_encoder")
            with contextlib.suppress(UserError):
                shards = run_directory.named_path(record, "shards")
                info = DatasetInfo.load(shards)
                named = record["config"].get("splits", ())
                yield from _sounds(info, info.training_splits(named))


def _sounds(info: DatasetInfo, splits: list[str]) -> Iterator[str]:
    """Digests of shards, and of those that they were separated from."""
    for shard in info.shards_of(splits):
        yield shard.sound_sha256
    if info.processors:
        with contextlib.suppress(UserError):
            record = run_directory.read(info.folder, "separate_shards")
            source = run_directory.named_path(record, "shards")
            yield from _sounds(DatasetInfo.load(source), splits)
