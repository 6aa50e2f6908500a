"""Configuration of the separation of shards."""

import dataclasses

from data.jobs.beam_runner import RunnerOptions
from data.run.flag_fields import option
from data.run.rejects import MAX_BAD_FRACTION


@dataclasses.dataclass(frozen=True)
class SeparateConfig(RunnerOptions):
    """Flags of train/separate_shards.py."""

    shards: str = option(
        "",
        "Folder of shards, of data/write_shards.py.",
        required=True,
        runtime_only=True,
    )
    separator: str = option(
        "",
        "Run directory of train_separation or import_separator.",
        required=True,
        runtime_only=True,
    )
    processors: tuple[str, ...] = option(
        (),
        "Kept checkpoints to separate with. Empty: all of the run.",
        group="Separation",
    )
    output: str = option(
        "", "Folder of the shards to write.", required=True, runtime_only=True
    )
    batch_size: int = option(
        8,
        "Clips separated together, if they are equally long.",
        minimum=1,
        runtime_only=True,
    )
    window_seconds: float = option(
        30.0,
        "Longer clips are separated in windows of that length which overlap "
        "by half, s. 0: every clip whole.",
        minimum=0,
    )
    precision: str = option(
        "float32",
        "Compute precision; weights, transforms and masks stay float32.",
        choices=("float32", "mixed_bfloat16"),
    )
    max_bad_fraction: float = option(
        MAX_BAD_FRACTION,
        "Share of clips that cannot be read past which the job stops.",
        minimum=0,
        maximum=1,
        runtime_only=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if 0 < self.window_seconds < 0.1:
            raise ValueError(
                f"--window_seconds={self.window_seconds:g} is too short to "
                "match channels in: take 0.1 or more, or 0"
            )
