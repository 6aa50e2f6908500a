"""Configuration of the embedding of shards."""

import dataclasses

from data.jobs.beam_runner import RunnerOptions
from data.run.flag_fields import option

STAGE = "embed"


@dataclasses.dataclass(frozen=True)
class EmbedConfig(RunnerOptions):
    """Flags of evaluate/embed.py."""

    encoder: str = option("", "run directory of pretraining (required)")
    shards: str = option(
        "", "what to embed; default: the encoder's training shards"
    )
    splits: tuple[str, ...] = option((), "splits to embed; empty: all")
    output: str = option("", "run directory to write (required)")

    def __post_init__(self):
        super().__post_init__()
        if not self.output:
            raise ValueError("--output is empty: name the folder to write to")
