"""Configuration of the measure of retrieval."""

import dataclasses

from data.run.flag_fields import option

STAGE = "retrieval"


@dataclasses.dataclass(frozen=True)
class RetrievalConfig:
    """Flags of evaluate/retrieval.py."""

    encoder: tuple[str, ...] = option(
        (),
        "run directories of pretraining, a row of the results each (required)",
    )
    shards: str = option(
        "", "labeled shards; default: those of the first encoder"
    )
    splits: tuple[str, ...] = option(("eval",), "splits to measure on")
    baselines: tuple[str, ...] = option(
        ("untrained", "log_mel_statistics"),
        "baselines measured beside the encoders; may be empty",
    )
    output: str = option("", "run directory to write (required)")
    positives: int = option(100, "most clips drawn with a class", minimum=2)
    negatives: int = option(100, "most clips drawn without it", minimum=1)
    seed: int = option(0, "of the draw and of the untrained weights", minimum=0)

    def __post_init__(self):
        for flag in ("output", "splits"):
            if not getattr(self, flag):
                raise ValueError(f"--{flag} is empty: name at least one")
