"""Configuration of the separation of shards."""

import dataclasses

from data.flag_fields import option


@dataclasses.dataclass(frozen=True)
class SeparateConfig:
    """Flags of train/separate_shards.py."""

    shards: str = option("", "Folder of shards, of data/write_shards.py.")
    separator: str = option(
        "", "Run directory of train_separation or import_separator."
    )
    processors: tuple[str, ...] = option(
        (), "Kept checkpoints to separate with. Empty: all of the run."
    )
    output: str = option("", "Folder of the shards to write.")
    batch_size: int = option(
        8,
        "Clips separated together, if they are equally long.",
        minimum=1,
        runtime_only=True,
    )
